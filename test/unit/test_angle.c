/* nn/angle.h in single precision against the C library in double. */
#include <math.h>

#include "base/rng.h"
#include "nn/angle.h"
#include "tap.h"

enum { N = 20000 };

static float x[N], y[N], s[N], c[N];

/* Magnitudes spread evenly over their logarithm, of both signs; the first few are special. */
static void draw(double least, double most, uint64_t lane)
{
    struct ca_rng rng = ca_rng_make(lane, "angles");

    for (uint64_t i = 0; i < N; i++) {
        double size = exp(log(least) + ca_rng_unit(&rng, 2 * i) * log(most / least));
        x[i] = (float)(ca_rng_unit(&rng, 2 * i + 1) < 0.5 ? -size : size);
    }
}

static void sines(void)
{
    double worst = 0, circle = 0, far = 0;

    draw(1e-6, CA_ANGLE_FAR, 1);
    for (int i = 0; i < 4000; i++) /* about multiples of a quarter of pi, where quadrants change */
        x[i] = (float)((i - 2000) * 0.78539816339744831);
    ca_sincos(N, x, s, c);
    for (size_t i = 0; i < N; i++) {
        worst = fmax(worst, fmax(fabs((double)s[i] - sin((double)x[i])), fabs((double)c[i] - cos((double)x[i]))));
        circle = fmax(circle, fabs((double)s[i] * (double)s[i] + (double)c[i] * (double)c[i] - 1));
    }
    CLOSE(worst, 0, 1.5e-7, "sines and cosines");
    CLOSE(circle, 0, 4e-7, "their squares sum to 1");
    worst = 0;
    draw(1e-20, 0.1, 2);
    ca_sincos(N, x, s, c);
    for (size_t i = 0; i < N; i++)
        worst = fmax(worst, fabs((double)s[i] / sin((double)x[i]) - 1));
    CLOSE(worst, 0, 1.5e-7, "sines of small angles, relative");
    draw(10, 1e30, 3);
    ca_sincos(N, x, s, c);
    for (size_t i = 0; i < N; i++)
        far = fmax(far, fmax(fabs((double)s[i] - sin((double)x[i])), fabs((double)c[i] - cos((double)x[i]))));
    CLOSE(far, 0, 1.5e-7, "angles of any size");
    x[0] = NAN;
    x[1] = INFINITY;
    x[2] = 0;
    ca_sincos(3, x, s, c);
    OK(isnan(s[0]) && isnan(c[0]) && isnan(s[1]) && isnan(c[1]), "no angle, no sine");
    OK(fabsf(s[2]) <= 0 && c[2] >= 1, "the sine of 0 is 0");
}

static void logarithms(void)
{
    double worst = 0, near = 0;

    draw(1e-37, 1e37, 4);
    for (size_t i = 0; i < N; i++) {
        double v = fabs((double)x[i]), want = log(v);
        worst = fmax(worst, fabs((double)ca_log((float)v) - want) / fabs(want));
    }
    CLOSE(worst, 0, 2e-7, "logarithms, relative");
    for (int i = -3000; i <= 3000; i++) {
        float v = 1 + (float)i * 1e-4f;
        near = fmax(near, fabs((double)ca_log(v) - log((double)v)) / fmax(fabs(log((double)v)), 1e-30));
    }
    CLOSE(near, 0, 2e-7, "the same near 1");
    OK(isnan(ca_log(NAN)) && !isfinite(ca_log(INFINITY)), "no number, no logarithm");
}

static void angles(void)
{
    double worst = 0;

    draw(1e-15, 1e15, 5);
    for (size_t i = 0; i < N; i++)
        y[i] = x[i];
    draw(1e-15, 1e15, 6);
    for (size_t i = 0; i < N / 2; i++) /* of like size */
        y[i] = x[i] * (float)(0.25 + 1.5 * (double)i / N) * (i % 2 ? 1 : -1);
    for (size_t i = 0; i < N; i++) {
        double want = atan2((double)y[i], (double)x[i]);
        worst = fmax(worst, fabs((double)ca_atan2(y[i], x[i]) - want) / fabs(want));
    }
    CLOSE(worst, 0, 3e-7, "angles of points, relative");
    OK(fabsf(ca_atan2(0, 0)) <= 0 && fabsf(ca_atan2(0, 2)) <= 0, "of the origin and of a positive number: 0");
    CLOSE((double)ca_atan2(0, -2), 3.14159265358979, 2e-7, "of a negative number: pi");
    CLOSE((double)ca_atan2(-0.0f, -2), -3.14159265358979, 2e-7, "seen from below: -pi");
    CLOSE((double)ca_atan2(-3, 0), -1.57079632679490, 2e-7, "straight down: -pi / 2");
    OK(isnan(ca_atan2(NAN, 1)) && isnan(ca_atan2(1, NAN)) && isnan(ca_atan2(NAN, 0)) && isnan(ca_atan2(0, NAN)),
       "no point, no angle");
}

int main(void)
{
    sines();
    logarithms();
    angles();
    return tap_done();
}
