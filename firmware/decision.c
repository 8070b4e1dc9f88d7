/* See decision.h. */
#include "decision.h"

#include "multiply.h"

void decision_add(struct decision *d, const int32_t *scores, int32_t weight)
{
    for (int c = 0; c < DECISION_CLASSES; c++) d->sums[c] += scores[c] - (d->sums[c] >> DECISION_LEAK_BITS);
    d->weight += weight - (d->weight >> DECISION_LEAK_BITS);
}

int decision_step(struct decision *d)
{
    int best = 0;
    int32_t lead = INT32_MAX;
    if (d->refractory) {
        d->refractory--;
        return -1;
    }
    for (int c = 1; c < DECISION_CLASSES; c++)
        if (d->sums[c] > d->sums[best]) best = c;
    for (int c = 0; c < DECISION_CLASSES; c++)
        if (c != best && d->sums[best] - d->sums[c] < lead) lead = d->sums[best] - d->sums[c];
    if (best < DECISION_REJECTED || d->weight < DECISION_LEAST_WEIGHT || lead < multiply(d->weight, DECISION_MARGIN))
        return -1;
    for (int c = 0; c < DECISION_CLASSES; c++) d->sums[c] = 0;
    d->weight = 0, d->refractory = DECISION_REFRACTORY_STEPS;
    return best;
}
