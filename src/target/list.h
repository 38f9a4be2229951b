/* One row per target: src/target/NAME.c defines `const struct target target_NAME`. The first is the default of --to. */
TARGET(llamacpp)
TARGET(safetensors)
