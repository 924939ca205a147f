/* Memory that is asked for before its turn: into the first cache, or no nearer than the second. It need not be there. */
#ifndef BASE_AHEAD_H
#define BASE_AHEAD_H

#if defined(__GNUC__)
#define AHEAD(at)     __builtin_prefetch((const void *)(at), 0, 3)
#define FAR_AHEAD(at) __builtin_prefetch((const void *)(at), 0, 2)
#else
#define AHEAD(at)     ((void)(at))
#define FAR_AHEAD(at) ((void)(at))
#endif

#endif
