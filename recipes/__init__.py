"""Recipes: training configurations, a YAML file each, read by `inrc fit --config NAME`."""
