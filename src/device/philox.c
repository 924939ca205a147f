/* Random numbers as a pure function of a key and a counter: Philox4x32-10. */
#include "device/special.h"

void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u; /* the golden ratio */
        k1 += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

static uint64_t draw(int64_t key, int64_t i, uint32_t stream) {
    uint32_t out[4], k[2] = {(uint32_t)(uint64_t)key, (uint32_t)((uint64_t)key >> 32)};
    uint32_t counter[4] = {(uint32_t)(uint64_t)i, (uint32_t)((uint64_t)i >> 32), stream, 0};
    philox(counter, k, out);
    return (uint64_t)out[1] << 32 | out[0];
}

uint64_t philox_bits(int64_t key, int64_t i) { return draw(key, i, 0); }

int64_t philox_fold(int64_t key, int64_t n) {
    uint64_t bits = draw(key, n, 1); /* another stream than draws */
    return bits > INT64_MAX ? -(int64_t)(UINT64_MAX - bits) - 1 : (int64_t)bits;
}
