/* One row per container: formats/NAME.c defines `const struct format format_NAME`. */
FORMAT(safetensors)
FORMAT(gguf)
FORMAT(pytorch)
FORMAT(npy)
FORMAT(llama2c)
