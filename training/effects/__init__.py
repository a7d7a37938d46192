"""Audio effects in batched torch, for the stems and mixtures that the encoders learn from.

Kim et al. 2022, section 6, plan them; each is a pure function of `wave [batch, samples]` and parameters per item.
"""
