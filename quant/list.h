/* One row per encoding: quant/NAME.c defines `const struct heft_encoding quant_NAME`. The order is the order of `heft types`. */
