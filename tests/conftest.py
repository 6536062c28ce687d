"""How long the fuzzing takes."""

import hypothesis

# `make fuzz` asks for the second. Neither keeps a folder of what it found in the project.
for profile, examples in (("default", 300), ("thorough", 12_000)):
    hypothesis.settings.register_profile(
        profile,
        max_examples=examples,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        print_blob=False,
    )
hypothesis.settings.load_profile("default")
