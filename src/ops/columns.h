/* Empty meanings for the column words of ops.def: define the ones you need before including ops.def, include
 * this after them. */
#ifndef ELEM
#define ELEM(value)
#endif
#ifndef REDUCE
#define REDUCE(start, combine)
#endif
#ifndef VIEW
#define VIEW
#endif
#ifndef OPAQUE
#define OPAQUE(kernel)
#endif
#ifndef ALIAS
#define ALIAS
#endif
#ifndef LEAF
#define LEAF
#endif
#ifndef LOCAL
#define LOCAL(d)
#endif
#ifndef PASS
#define PASS(mask)
#endif
#ifndef LINEAR
#define LINEAR(vjp)
#endif
#ifndef RULE
#define RULE(vjp, jvp)
#endif
#ifndef ZERO
#define ZERO
#endif
#ifndef NONE
#define NONE
#endif
