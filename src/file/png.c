/* PNG, by libpng's simplified interface. */
#include "file/png.h"

#include <string.h>

#ifdef CR_WITH_LIBPNG
#include <png.h>
#endif

bool png_is(const char *s, size_t n) { return n >= 4 && memcmp(s, "\x89PNG", 4) == 0; }

#ifdef CR_WITH_LIBPNG

static cr_status check_like(const struct image *x, const struct image *like, const char *path, cr_text *why) {
    if (!like || (x->height == like->height && x->width == like->width && x->colour == like->colour))
        return CR_OK;
    return file_fail(
        why, CR_EFORMAT, path,
        "%lld x %lld pixels in %s, expected %lld x %lld in %s as the images before it: make them of one size",
        (long long)x->width, (long long)x->height, x->colour ? "colour" : "grey", (long long)like->width,
        (long long)like->height, like->colour ? "colour" : "grey");
}

/* Before memory is taken: deflate makes at most 1032 bytes of one, and a pixel takes a bit at least. */
static cr_status check_size(const struct image *x, size_t n, const char *path, cr_text *why) {
    uint64_t pixels = (uint64_t)x->height * (uint64_t)x->width;
    if (pixels / 8 <= (uint64_t)n * 1032) return CR_OK;
    return file_fail(
        why, CR_EFORMAT, path,
        "its header announces %lld x %lld pixels, more than its %zu bytes can hold: fetch or save it anew",
        (long long)x->width, (long long)x->height, n);
}

static cr_status broken(const png_image *p, const char *path, cr_text *why) {
    bool memory = strstr(p->message, "memory") != NULL;
    return file_fail(why, memory ? CR_ENOMEM : CR_EFORMAT, path, "cannot be read as PNG: %s%s", p->message,
                     memory ? "" : ": fetch or save it anew");
}

/* From samples beside each other to planes one after the other. */
static void spread(struct image *x, const unsigned char *from) {
    int64_t pixels = x->height * x->width, planes = x->colour ? 3 : 1;
    for (int64_t k = 0; k < planes; k++)
        for (int64_t i = 0; i < pixels; i++) x->sample[k * pixels + i] = from[i * planes + k];
}

static cr_status decode(struct image *x, png_image *p, const struct mem *m, const char *path, cr_text *why) {
    p->format = x->colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    size_t count = mem_mul(mem_mul((size_t)x->height, (size_t)x->width), x->colour ? 3 : 1);
    unsigned char *packed = mem_alloc(m, count);
    x->bytes = mem_mul(count, sizeof *x->sample);
    x->sample = packed ? mem_alloc(m, x->bytes) : NULL;
    cr_status status = x->sample ? CR_OK : file_fail(why, CR_ENOMEM, path, "out of memory");
    if (!status && !png_image_finish_read(p, &(png_color){0, 0, 0}, packed, 0, NULL))
        status = broken(p, path, why);
    if (!status) spread(x, packed);
    mem_free(m, packed, count);
    if (status) mem_free(m, x->sample, x->bytes), x->sample = NULL;
    return status;
}

cr_status png_read(struct image *out, const struct bytes *b, const struct image *like, const char *path,
                   cr_text *why) {
    png_image p = {.version = PNG_IMAGE_VERSION};
    const char *guess = png_is(b->s, b->n) ? NULL : file_guess(b->s, b->n);
    *out = (struct image){0};
    if (guess) return file_fail(why, CR_EFORMAT, path, "is no PNG but %s", guess);
    if (!png_image_begin_read_from_memory(&p, b->s, b->n)) return broken(&p, path, why);
    *out = (struct image){
        .height = p.height, .width = p.width, .colour = (p.format & PNG_FORMAT_FLAG_COLOR) != 0};
    cr_status status = check_like(out, like, path, why);
    if (!status) status = check_size(out, b->n, path, why);
    if (!status && (p.format & PNG_FORMAT_FLAG_LINEAR))
        status = file_fail(why, CR_EFORMAT, path, "16 bits a sample, expected 8: convert it first");
    if (!status) status = decode(out, &p, &b->mem, path, why);
    png_image_free(&p);
    return status;
}

#else

cr_status png_read(struct image *out, const struct bytes *b, const struct image *like, const char *path,
                   cr_text *why) {
    (void)b, (void)like;
    *out = (struct image){0};
    return file_fail(why, CR_EFORMAT, path,
                     "is PNG, and this library was built without libpng: give npy or IDX instead");
}

#endif
