/* One row per tool: src/cmd/NAME.c defines `const struct tool tool_NAME`. */
