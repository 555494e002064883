/*
 * The number type of weights and activations: float. The same sources built
 * with -DCA_DOUBLE use double, so that finite differences can prove every
 * backward pass to many digits; no other file knows the difference.
 */
#ifndef CA_NN_REAL_H
#define CA_NN_REAL_H

#ifdef CA_DOUBLE
typedef double ca_real;
#define CA_REAL_MAX_DIGITS 17
#else
typedef float ca_real;
#define CA_REAL_MAX_DIGITS 9
#endif

#endif
