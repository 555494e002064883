/* base/inflate: what zlib packed comes out again, and nothing else passes for it. */
#include <stdlib.h>
#include <zlib.h>

#include "base/inflate.h"
#include "base/rng.h"
#include "tap.h"

#define N 20000

int main(void)
{
    static unsigned char text[N], out[N + 1];
    static unsigned char packed[N + 1000];
    struct ca_rng rng = ca_rng_make(1, "test inflate");
    int whole = 1, cut = 1, longer = 1, shorter = 1, behind = 1;

    for (size_t i = 0; i < N; i++)
        text[i] = (unsigned char)(ca_rng_u64(&rng, i) % (i < N / 2 ? 256 : 3));
    for (int level = 1; level <= 9; level++) {
        for (size_t n = 0; n <= N; n = 3 * n + 1) {
            uLongf len = sizeof packed - 1;

            if (compress2(packed, &len, text, n, level) != Z_OK)
                return 70;
            out[n] = 'x';
            whole &= !ca_inflate(out, n, packed, len, NULL) && !memcmp(out, text, n) && out[n] == 'x';
            cut &= ca_inflate(out, n, packed, len - 1, NULL) == CA_EFORMAT;
            longer &= ca_inflate(out, n + 1, packed, len, NULL) == CA_EFORMAT;
            shorter &= !n || ca_inflate(out, n - 1, packed, len, NULL) == CA_EFORMAT;
            packed[len] = 0;
            behind &= ca_inflate(out, n, packed, len + 1, NULL) == CA_EFORMAT;
        }
    }
    OK(whole, "bytes come out as they went in, and none beyond");
    OK(cut, "a stream that is cut is malformed");
    OK(longer, "so is one that holds fewer bytes than are asked for");
    OK(shorter, "and one that holds more");
    OK(behind, "and one with a byte behind it");
    return tap_done();
}
