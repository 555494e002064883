/*
 * The little dense linear algebra that a projection needs, in double and in a
 * fixed order of operations: equal input gives equal bits on every kernel.
 * Matrices are row-major. Sizes are embedding widths: tens to a few hundred.
 */
#ifndef CA_TRANSFER_LINALG_H
#define CA_TRANSFER_LINALG_H

#include <stddef.h>

#include "base/err.h"
#include "base/rng.h"

/*
 * Eigenvalues and eigenvectors of the symmetric a[n,n] by cyclic Jacobi
 * rotations; a is destroyed. value[n] descending, vector[n,n] with
 * eigenvector k in column k, the entry of greatest magnitude positive.
 * CA_ENUMERIC when a holds something not finite or the rotations do not settle.
 */
int ca_linalg_eigen(size_t n, double *a, double *value, double *vector, struct ca_err *err) CA_CHECK_ME;

/* q[n,n] orthogonal, uniform (Haar) up to signs: Q of the QR of a matrix of N(0,1) draws of rng. */
int ca_linalg_orthogonal(size_t n, const struct ca_rng *rng, double *q, struct ca_err *err) CA_CHECK_ME;

/* c[m,n] = a[m,k] b[k,n] */
void ca_linalg_multiply(size_t m, size_t n, size_t k, const double *a, const double *b, double *c);

/* Sum of a[i] b[i]: the Frobenius inner product of two matrices. */
double ca_linalg_inner(size_t n, const double *a, const double *b);

#endif
