/* Words that C and its library have taken. */
#include <ctype.h>
#include <string.h>

#include "emit/emit.h"

bool emit_is_among(const char *words, const char *s) {
    char padded[72];
    size_t n = strlen(s);
    if (n > 60) return false;
    padded[0] = ' ';
    memcpy(padded + 1, s, n);
    memcpy(padded + 1 + n, " ", 2);
    return strstr(words, padded) != NULL;
}

/* Functions, and what is an expression of its own in <math.h> and <tgmath.h>. */
static const char mathematics[] =
    " acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs "
    "fdim floor fma fmax fmin fmod frexp hypot ilogb ldexp lgamma llrint llround log log10 log1p log2 "
    "logb lrint lround modf nan nearbyint nextafter nexttoward pow remainder remquo rint round scalbln "
    "scalbn signbit sin sinh sqrt tan tanh tgamma trunc ";

static bool is_function(const char *s) {
    return emit_is_among(mathematics, s) || emit_is_among(" cabs carg cimag conj cproj creal ", s) ||
           (*s == 'c' && emit_is_among(mathematics, s + 1));
}

/* sin, csin, and sinf, sinl, csinf, csinl, which <tgmath.h> chooses from. */
static bool is_mathematics(const char *s) {
    char stem[16];
    const size_t n = strlen(s);
    if (n < 2 || n >= sizeof stem) return false;
    if (is_function(s)) return true;
    memcpy(stem, s, n);
    stem[n - 1] = 0;
    return (s[n - 1] == 'f' || s[n - 1] == 'l') && is_function(stem);
}

static bool begins(const char *s, const char *with) { return strncmp(s, with, strlen(with)) == 0; }
static bool ends(const char *s, const char *with) {
    const size_t n = strlen(s), m = strlen(with);
    return n >= m && strcmp(s + n - m, with) == 0;
}

/* M_PI, INT8_MAX, FLT_EPSILON: those that headers make many of. */
static bool is_macro(const char *s) {
    static const char *const first[] = {"FP_",   "M_",  "HUGE_", "MATH_", "FLT_", "DBL_",
                                        "LDBL_", "LC_", "SIG_",  "SEEK_", "CLOCK"};
    for (const char *c = s; *c; c++)
        if (islower((unsigned char)*c)) return false;
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        if (begins(s, first[i])) return true;
    return ends(s, "_MAX") || ends(s, "_MIN");
}

bool emit_is_word(const char *s) {
    static const char words[] =
        " auto break case char const continue default do double else enum extern float for goto if inline "
        "int "
        "long register restrict return short signed sizeof static struct switch typedef union unsigned void "
        "volatile while bool true false alignas alignof constexpr nullptr static_assert thread_local typeof "
        "typeof_unqual asm fortran"
        " and and_eq bitand bitor catch char8_t char16_t char32_t class co_await co_return co_yield compl "
        "concept const_cast consteval constinit decltype delete dynamic_cast explicit export friend mutable "
        "namespace new noexcept not not_eq operator or or_eq private protected public reinterpret_cast "
        "requires static_cast template this throw try typeid typename using virtual wchar_t xor xor_eq"
        " isnan isinf isfinite isnormal fpclassify isgreater isgreaterequal isless islessequal islessgreater "
        "isunordered math_errhandling complex imaginary I j0 j1 jn y0 y1 yn gamma signgam"
        " memchr memcmp memcpy memmove memset size_t ptrdiff_t max_align_t offsetof int8_t int16_t int32_t "
        "int64_t uint8_t uint16_t uint32_t uint64_t intptr_t uintptr_t intmax_t uintmax_t float_t double_t "
        "linux unix main NULL NAN INFINITY INT32_C INT64_C UINT32_C UINT64_C EOF BUFSIZ NSIG CHAR_BIT EDOM "
        "EILSEQ "
        "ERANGE SIGABRT SIGFPE SIGILL SIGINT SIGSEGV SIGTERM ";
    return emit_is_among(words, s) || is_mathematics(s) || is_macro(s);
}

bool emit_is_of_library(const char *s) {
    static const char words[] =
        /* of the standard */
        " abort abs aligned_alloc asctime assert at_quick_exit atexit atof atoi atol atoll bsearch calloc "
        "clearerr clock ctime difftime div errno exit fclose feof ferror fflush fgetc fgetpos fgets fgetwc "
        "fgetws "
        "fopen fprintf fputc fputs fputwc fputws fread free freopen fscanf fseek fsetpos ftell fwide "
        "fwprintf "
        "fwrite fwscanf getc getchar getenv gets getwc getwchar gmtime isalnum isalpha isblank iscntrl "
        "isdigit "
        "isgraph islower isprint ispunct isspace isupper isxdigit iswalnum iswalpha iswdigit iswspace labs "
        "ldiv llabs lldiv "
        "localeconv localtime longjmp malloc mblen mbrlen mbrtowc mbsinit mbsrtowcs mbstowcs mbtowc mktime "
        "perror printf putc putchar puts putwc putwchar qsort quick_exit raise rand realloc remove rename "
        "rewind "
        "scanf setbuf setjmp setlocale setvbuf signal snprintf sprintf srand sscanf stderr stdin stdout "
        "strcat "
        "strchr strcmp strcoll strcpy strcspn strerror strftime strlen strncat strncmp strncpy strpbrk "
        "strrchr "
        "strspn strstr strtod strtof strtoimax strtok strtol strtold strtoll strtoul strtoull strtoumax "
        "strxfrm "
        "swprintf swscanf system time timespec_get tmpfile tmpnam tolower toupper towlower towupper ungetc "
        "ungetwc va_arg va_copy va_end va_list va_start vfprintf vfscanf vprintf vscanf vsnprintf vsprintf "
        "vsscanf wcscat wcschr wcscmp wcscpy wcslen wcsncmp wcstod wcstol wctomb wmemcpy wmemset wprintf "
        "wscanf "
        "FILE clock_t div_t fenv_t fexcept_t fpos_t imaxdiv_t jmp_buf ldiv_t lldiv_t mbstate_t sig_atomic_t "
        "time_t "
        "tm wctype_t wint_t feclearexcept fegetenv fegetround feraiseexcept fesetenv fesetround fetestexcept "
        "thrd_create mtx_lock cnd_wait call_once"
        /* of POSIX, which the library of C itself may call by these names */
        " accept access alarm basename bcmp bcopy bind brk bzero chdir chmod chown close closedir connect "
        "creat "
        "dirname dlclose dlopen dlsym dup dup2 environ execl execv execve execvp fchmod fcntl fdopen ffs "
        "fileno "
        "fork fstat fsync ftruncate getcwd getdelim getgid getline getopt getpid getppid gettimeofday getuid "
        "htonl "
        "htons index ioctl isatty kill link listen lseek lstat mkdir mkdtemp mkfifo mkstemp mmap mprotect "
        "munmap "
        "nanosleep ntohl ntohs open opendir optarg optind pause pclose pipe poll popen pread pwrite raise "
        "random "
        "read readdir readlink readv recv rindex rmdir sbrk select send setenv shutdown sigaction sleep "
        "socket srandom stat "
        "stpcpy strcasecmp strdup strndup strnlen strtok_r symlink sync tempnam times truncate umask uname "
        "unlink "
        "unsetenv usleep utime vfork wait waitpid write writev ";
    return emit_is_among(words, s);
}
