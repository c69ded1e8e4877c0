"""Gamma-ray spectra for inrc."""
