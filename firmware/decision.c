/* See decision.h. */
#include <stddef.h>

#include "decision.h"
#include "model.h"

_Static_assert(offsetof(struct decision, refractory) == DECISION_REFRACTORY &&
               offsetof(struct decision, window) == DECISION_WINDOW, "the assembly's");

int setting_valid(uint32_t setting)
{
    const uint32_t firsts = (1u << DECISION_CLASSES) - 1; /* a bit for each that may be */
    return setting - SETTING_BASE < 16 * SETTING_SENSITIVITIES && firsts >> setting_first_word(setting) & 1;
}

void decision_listen(struct decision *d, struct decision_loudness *loudness, const int8_t *features)
{
    int now = DECISION_LOUDNESS + ((features[0] + features[12] + features[24] + features[36]) >> 2), mean = loudness->mean;
    if (!mean) mean = now << DECISION_MEAN_BITS;
    int above = now - (mean >> DECISION_MEAN_BITS);
    loudness->mean = (uint16_t)(mean + above);
    int peak = loudness->peak < above ? above : loudness->peak;
    if (peak >= DECISION_STANDS_OUT) loudness->peak = (uint8_t)(peak - 1); /* and else it matters no more */
    if ((peak < DECISION_STANDS_OUT || peak - DECISION_FALLS < above) && !d->refractory) d->refractory = 1;
}

#ifndef __riscv /* decide.S */
int decision_step(struct decision *d, uint32_t setting, int doubtful)
{
    int32_t *sums = d->sums, most = INT32_MIN / 2, next = most; /* no sum is below */
    static const uint8_t least_leads[SETTING_SENSITIVITIES] = {DECISION_LEAST_LEADS};
    int best = 0;
    if (d->window) d->window--;
    if (d->refractory) {
        d->refractory--;
        return -1;
    }
    for (int c = 0; c < DECISION_CLASSES; c++) {
        int32_t sum = sums[c];
        if (sum > most) next = most, most = sum, best = c;
        else if (sum > next) next = sum;
    }
    if (best < DECISION_REJECTED) return -1;
    int32_t lead = most - next;
    if (best == doubtful) lead -= lead >> 2;
    if (lead >> MODEL_LEAD_BITS < least_leads[setting_sensitivity(setting)]) return -1;
    for (int c = 0; c < DECISION_CLASSES; c++) sums[c] = 0;
    d->refractory = DECISION_REFRACTORY_STEPS;
    int first = (int)setting_first_word(setting), window = 0;
    if (first && !d->window) {
        if (best != first) return -1;
        window = DECISION_WINDOW_STEPS + 1; /* from which the next step takes one before it looks */
    }
    d->window = (uint8_t)window;
    return best;
}
#endif

int decision_taught(struct decision *d, uint32_t setting)
{
    uint32_t first = setting_first_word(setting);
    int open = d->window > 1; /* and not for the last step */
    if (first > SETTING_TAUGHT) {
        d->window = 0;
        return open;
    }
    d->window = first ? DECISION_WINDOW_STEPS + 1 : DECISION_REFRACTORY_STEPS; /* the LED's, where all is open */
    return 1;
}
