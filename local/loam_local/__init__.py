"""The local AWS: a pinned emulator, an extension for what it lacks, and the verbs around it."""
