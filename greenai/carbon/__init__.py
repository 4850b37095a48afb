"""From joules to grams: grid factors with their provenance, applied apart from the measurement."""
