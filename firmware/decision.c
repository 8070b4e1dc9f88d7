/* See decision.h. */
#include "decision.h"

static const int32_t least_leads[SETTING_SENSITIVITIES] = DECISION_LEAST_LEADS;

int decision_step(struct decision *d, uint32_t setting)
{
    int32_t *sums = d->sums;
    int best = 0, first = (int)setting_first_word(setting), window = d->window;
    if (window) d->window--;
    if (d->refractory) {
        d->refractory--;
        return -1;
    }
    for (int c = 1; c < DECISION_CLASSES; c++)
        if (sums[c] > sums[best]) best = c;
    if (best < DECISION_REJECTED) return -1;
    int32_t most = sums[best] - least_leads[setting_sensitivity(setting)]; /* that the others may have */
    for (int c = 0; c < DECISION_CLASSES; c++)
        if (c != best && sums[c] > most) return -1;
    for (int c = 0; c < DECISION_CLASSES; c++) sums[c] = 0;
    d->refractory = DECISION_REFRACTORY_STEPS;
    if (first && !window && best != first) return -1;
    d->window = first && !window ? DECISION_WINDOW_STEPS : 0;
    return best;
}
