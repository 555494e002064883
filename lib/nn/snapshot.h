/* All of a network that learning changes, kept aside: to go back to the best of several epochs. */
#ifndef CA_NN_SNAPSHOT_H
#define CA_NN_SNAPSHOT_H

#include "nn/net.h"

struct ca_snapshot;

/*
 * Keep the network's weights, moments, buffers and step counters in *s, which
 * is made when it is NULL and overwritten else. It takes as much memory as the
 * network's own. Settles the network.
 */
int ca_snapshot_take(struct ca_snapshot **s, struct ca_net *n, struct ca_err *err) CA_CHECK_ME;

/* Put them back into the network they are of. What it does from there is what it would have done from there before. */
void ca_snapshot_restore(const struct ca_snapshot *s, struct ca_net *n);

void ca_snapshot_free(struct ca_snapshot *s); /* NULL is accepted */

#endif
