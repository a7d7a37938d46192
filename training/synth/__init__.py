"""Note banks rendered from software synthesisers, one instrument for each of their patches.

Section 4 of Kim et al. 2022 learns from the 1,006 instruments of NSynth; synthesisers multiply the identities to learn from.
`docs/DATA.md` names the synthesisers, their patches and licences.
"""
