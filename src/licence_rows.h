/*
 * licence_rows.h - the licences that open weights come with, a row for each:
 *
 * ROW(name, ids, phrases, conditions, link)
 *   ids      what license, license_name or general.license has as a whole, any case, apart by '|'
 *   phrases  parts of a license_name, a license_link or the first lines of a licence's text, any case, apart by '|'; the first row that has one decides
 *
 * Conditions are what the licence's own text makes a user look at, shortened; the text that came with the model is what counts.
 */
#define LLAMA_TERMS "over 700 million monthly users: a licence of Meta's own is needed; acceptable use policy; copies carry the agreement and a NOTICE"
ROW("Llama 4 Community License", "llama4", "llama 4 community|llama4/license|llama4_license",
    LLAMA_TERMS "; \"Built with Llama\" is shown, names of models trained with it begin with Llama; models that see: none of its rights for people and "
    "companies in the EU",
    "https://www.llama.com/llama4/license/")
ROW("Llama 3.3 Community License", "llama3.3", "llama 3.3 community|llama3_3",
    LLAMA_TERMS "; \"Built with Llama\" is shown, names of models trained with it begin with Llama", "https://www.llama.com/llama3_3/license/")
ROW("Llama 3.2 Community License", "llama3.2", "llama 3.2 community|llama3_2",
    LLAMA_TERMS "; \"Built with Llama\" is shown, names of models trained with it begin with Llama; models that see: none of its rights for people and "
    "companies in the EU", "https://www.llama.com/llama3_2/license/")
ROW("Llama 3.1 Community License", "llama3.1", "llama 3.1 community|llama3_1",
    LLAMA_TERMS "; \"Built with Llama\" is shown, names of models trained with it begin with Llama", "https://www.llama.com/llama3_1/license/")
ROW("Llama 3 Community License", "llama3", "llama 3 community|llama3/license",
    LLAMA_TERMS "; \"Built with Meta Llama 3\" is shown; output must not improve other language models", "https://www.llama.com/llama3/license/")
ROW("Llama 2 Community License", "llama2", "llama 2 community|ai.meta.com/llama/license",
    LLAMA_TERMS "; output must not improve other language models", "https://ai.meta.com/llama/license/")
ROW("Gemma Terms of Use", "gemma", "gemma terms of use|ai.google.dev/gemma/terms",
    "prohibited use policy, which those who get the model must take on; copies carry the terms and a notice, changed files say so; Google may restrict use",
    "https://ai.google.dev/gemma/terms")
ROW("Qwen Research License", "qwen-research|tongyi-qianwen-research", "qwen research|tongyi qianwen research",
    "research and evaluation only: no commercial use without another licence; copies carry the agreement and a notice", NULL)
ROW("Tongyi Qianwen / Qwen License", "qwen|tongyi-qianwen|tongyi-qianwen-license-agreement", "tongyi qianwen license|qwen license",
    "over 100 million monthly users: a licence of its own is needed; copies carry the agreement and a notice; models trained with it or its output say so", NULL)
ROW("DeepSeek Model License", "deepseek|deepseek-license", "deepseek license|deepseek-llm/blob|license-model",
    "uses are restricted (Attachment A), and so must be those of derived models; copies carry the licence; commercial use is allowed",
    "https://github.com/deepseek-ai/DeepSeek-LLM/blob/main/LICENSE-MODEL")
ROW("Mistral Research License", "mrl|mrl-0.1|mistral-ai-research-license|mistral-ai-research-licence", "mistral ai research|mrl-0.1",
    "research and personal use only: no commercial use without another licence; copies carry the agreement", "https://mistral.ai/licenses/MRL-0.1.md")
ROW("Mistral Non-Production License", "mnpl|mnpl-0.1|mistral-ai-non-production-license", "mistral ai non-production|mnpl-0.1",
    "testing and research only: no use in production without another licence; copies carry the agreement", "https://mistral.ai/licenses/MNPL-0.1.md")
ROW("CC-BY-NC-SA", "cc-by-nc-sa-4.0|cc-by-nc-sa-3.0|cc-by-nc-sa-2.0", "by-nc-sa/|attribution-noncommercial-sharealike",
    "no commercial use; credit is given; derived models go under the same licence", "https://creativecommons.org/licenses/by-nc-sa/4.0/")
ROW("CC-BY-NC-ND", "cc-by-nc-nd-4.0|cc-by-nc-nd-3.0", "by-nc-nd/|attribution-noncommercial-noderivatives",
    "no commercial use; credit is given; changed versions are not passed on: ask whether a quantized file is one",
    "https://creativecommons.org/licenses/by-nc-nd/4.0/")
ROW("CC-BY-NC", "cc-by-nc-4.0|cc-by-nc-3.0|cc-by-nc-2.0", "by-nc/|attribution-noncommercial", "no commercial use; credit is given",
    "https://creativecommons.org/licenses/by-nc/4.0/")
ROW("CC-BY-SA", "cc-by-sa-4.0|cc-by-sa-3.0", "by-sa/|attribution-sharealike", "credit is given; derived models go under the same licence",
    "https://creativecommons.org/licenses/by-sa/4.0/")
ROW("CC-BY", "cc-by-4.0|cc-by-3.0|cc-by-2.0", "licenses/by/|creative commons attribution 4.0", "credit is given, changes are said",
    "https://creativecommons.org/licenses/by/4.0/")
ROW("OpenRAIL", "openrail|openrail++|creativeml-openrail-m|bigscience-openrail-m|bigscience-bloom-rail-1.0|bigcode-openrail-m",
    "openrail|bloom rail|rail-m",
    "uses are restricted (Attachment A), and so must be those of derived models and services; copies carry the licence; commercial use is allowed", NULL)
ROW("EXAONE AI Model License", "exaone|exaone-license", "exaone ai model license",
    "research only in most versions: no commercial use without another licence", NULL)
ROW("NVIDIA Open Model License", "nvidia-open-model-license", "nvidia open model license|nvidia-open-model-license",
    "rights end where safety guardrails are taken out without others in their place; copies carry the agreement and a notice",
    "https://www.nvidia.com/en-us/agreements/enterprise-software/nvidia-open-model-license/")
ROW("Tencent Hunyuan Community License", "tencent-hunyuan-community", "tencent hunyuan",
    "not for use in the EU, the United Kingdom and South Korea; over 100 million monthly users: a licence of its own is needed; acceptable use policy", NULL)
ROW("LFM Open License", "lfm1.0|lfm-open-license", "lfm open license", "companies above a yearly revenue that the text says need a commercial licence", NULL)
ROW("Apache-2.0", "apache-2.0|apache 2.0|apache license 2.0", "apache license|licenses/license-2.0", "copies carry the licence and the NOTICE, changed files say so",
    "https://www.apache.org/licenses/LICENSE-2.0")
ROW("MIT", "mit", "mit license", "copies carry the copyright notice and the licence", "https://opensource.org/license/mit")
ROW("BSD", "bsd|bsd-3-clause|bsd-2-clause", "bsd 3-clause|bsd 2-clause", "copies carry the copyright notice and the licence; no endorsement is claimed",
    "https://opensource.org/license/bsd-3-clause")
ROW("GPL", "gpl-3.0|agpl-3.0|gpl-2.0|lgpl-3.0", "gnu general public|gnu affero", "what is derived from it and passed on goes under the same licence",
    "https://www.gnu.org/licenses/")
#undef LLAMA_TERMS
