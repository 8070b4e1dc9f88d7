/* See decision.h. */
#include "decision.h"

int decision_step(struct decision *d)
{
    int32_t *sums = d->sums;
    int best = 0;
    if (d->refractory) {
        d->refractory--;
        return -1;
    }
    for (int c = 1; c < DECISION_CLASSES; c++)
        if (sums[c] > sums[best]) best = c;
    if (best < DECISION_REJECTED) return -1;
    int32_t most = sums[best] - DECISION_LEAST_LEAD; /* that the others may have */
    for (int c = 0; c < DECISION_CLASSES; c++)
        if (c != best && sums[c] > most) return -1;
    for (int c = 0; c < DECISION_CLASSES; c++) sums[c] = 0;
    d->refractory = DECISION_REFRACTORY_STEPS;
    return best;
}
