/* One row per layout of quantized modules: src/packed/NAME.c, or its family's file, defines `const struct packed_layout packed_NAME`.
 * Where several are told by the same ending, the first whose fit() says yes takes the module. */
LAYOUT(fp8_inv)
LAYOUT(fp8)
LAYOUT(fp8_v4)
LAYOUT(fp8_qscale)
LAYOUT(mxfp4_blocks)
LAYOUT(mxfp4_original)
LAYOUT(fp4_v4)
LAYOUT(fp4_ct)
LAYOUT(fp4_modelopt)
LAYOUT(gptq)
LAYOUT(awq)
LAYOUT(awq_gemv)
