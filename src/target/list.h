/* One row per target: src/target/NAME.c defines `const struct target target_NAME`. The first is the default of --to. */
TARGET(llamacpp)
TARGET(safetensors)
TARGET(fp8_dynamic)
TARGET(fp8_block)
TARGET(fp8)
TARGET(w4a16)
TARGET(w4a16_asym)
TARGET(w8a16)
