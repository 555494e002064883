# Means, deviations and tests over the seeds, for the scripts that are given this file before them. What there is not is "nan".
function number(x) { return x == "nan" ? x : sprintf("%.9g", x) }
function less(a, b) { return a == "nan" || b == "nan" ? "nan" : a - b }
# mean of x[1..n], nan when one of them is; leaves the sample deviation (n - 1) in sd
function mean(x, n,    k, sum, squares, centre) {
  sd = "nan"
  if (!n) return "nan"
  for (k = 1; k <= n; k++) {
    if (x[k] == "nan") return "nan"
    sum += x[k]
  }
  centre = sum / n
  for (k = 1; k <= n; k++) squares += (x[k] - centre) ^ 2
  if (n > 1) sd = sqrt(squares / (n - 1))
  return centre
}
# x[1..n] are differences, one a seed: "mean, deviation, p" of the two-sided t-test that they are none
function tested(x, n,    m, t) {
  m = mean(x, n)
  # one difference has no spread to be held against; those without any are equal, or differ surely
  if (sd == "nan") return number(m) OFS "nan" OFS "nan"
  if (sd == 0) return number(m) OFS 0 OFS (m == 0 ? 1 : 0)
  t = m / (sd / sqrt(n))
  return number(m) OFS number(sd) OFS number(ibeta((n - 1) / 2, 0.5, (n - 1) / (n - 1 + t * t)))
}
# ln of the gamma function for x > 0 (Lanczos)
function lgamma(x,    t) {
  t = 1.000000000190015 + 76.18009172947146 / (x + 1) - 86.50532032941677 / (x + 2) + 24.01409824083091 / (x + 3) - \
    1.231739572450155 / (x + 4) + 0.1208650973866179e-2 / (x + 5) - 0.5395239384953e-5 / (x + 6)
  return -(x + 5.5) + (x + 0.5) * log(x + 5.5) + log(2.5066282746310005 * t / x)
}
# regularised incomplete beta function by its continued fraction (modified Lentz)
function ibeta(a, b, x,    front, c, d, h, m, e, step) {
  if (x <= 0) return 0
  if (x >= 1) return 1
  if (x > (a + 1) / (a + b + 2)) return 1 - ibeta(b, a, 1 - x)
  front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1 - x)) / a
  c = 1; d = 1 - (a + b) * x / (a + 1)
  if (d == 0) d = 1e-300
  d = 1 / d; h = d
  for (m = 1; m <= 300; m++) {
    e = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 + e * d; if (d == 0) d = 1e-300
    c = 1 + e / c; if (c == 0) c = 1e-300
    d = 1 / d; h *= d * c
    e = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 + e * d; if (d == 0) d = 1e-300
    c = 1 + e / c; if (c == 0) c = 1e-300
    d = 1 / d; step = d * c; h *= step
    if (step - 1 < 1e-14 && step - 1 > -1e-14) break
  }
  return front * h
}
