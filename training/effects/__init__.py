"""Audio effects in batched torch, applied to training stems and mixtures (proposed in Kim et al. 2022, section 6).

Each effect is a pure function of `wave [batch, samples]` and of one set of parameters per item.
"""
