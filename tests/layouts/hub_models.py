"""Small models with random weights, in folders laid out as the models of their names are on their hubs.

Names of files, weights and settings are those of the hub; sizes and words are few.
"""

import json
from collections.abc import Callable
from pathlib import Path

import hub_tokenizers as words
import torch
import transformers
from safetensors.torch import save_file
from torch import Tensor

WIDTH, LAYERS, ROWS = 16, 2, 40
# Weights under the file's names; the other files by name, as bytes or what is written as JSON; the file of the weights.
Layout = tuple[dict[str, Tensor], dict[str, object], str]

SIZES = {
    "hidden_size": WIDTH,
    "intermediate_size": 32,
    "max_position_embeddings": ROWS,
    "num_attention_heads": 2,
    "num_hidden_layers": LAYERS,
}
# What every config.json of BERT has; its oldest have no more.
BERT = {
    "attention_probs_dropout_prob": 0.1,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "initializer_range": 0.02,
    "type_vocab_size": 2,
    **SIZES,
    "vocab_size": len(words.wordpieces()),
}
LATER = {"layer_norm_eps": 1e-12, "model_type": "bert", "pad_token_id": 0, "position_embedding_type": "absolute"}
SETTINGS = {"do_lower_case": True, "model_max_length": 512}
ROLES = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
CLASSIFIER = {"cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
MASK = {"content": "<mask>", "single_word": False, "lstrip": True, "rstrip": False, "normalized": False}
SAFE, PICKLE = "model.safetensors", "pytorch_model.bin"


def weights(kind: str, config: dict, *renamed: tuple[str, str]) -> dict[str, Tensor]:
    """Random weights of one of transformers' classes, under the names of older files."""
    made = getattr(transformers, kind)
    values = {key: value for key, value in config.items() if key not in ("architectures", "model_type")}
    torch.manual_seed(0)
    model = made(made.config_class(**values))
    for label, weight in model.named_parameters():
        torch.nn.init.normal_(weight, 1.0 if "norm" in label.lower() and label.endswith("weight") else 0.0, 0.3)
    table = {}
    for name, value in model.state_dict().items():
        for new, old in renamed:
            name = name.replace(new, old)
        table[name] = value.detach().clone()
    return table


GAMMA = (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta"))
# Before version 4.31 of transformers this buffer was saved too.
POSITIONS = torch.arange(ROWS)[None]


def half(table: dict[str, Tensor], kind: torch.dtype = torch.float16) -> dict[str, Tensor]:
    return {name: value.to(kind) if value.is_floating_point() else value for name, value in table.items()}


def under(prefix: str, table: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in table.items()}


def pooled(mode: str) -> dict[str, object]:
    """What sentence-transformers puts beside a model."""
    parts = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (path, kind) in enumerate(parts.items())
    ]
    modes = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")
    return {
        "modules.json": modules,
        "1_Pooling/config.json": {
            "word_embedding_dimension": WIDTH,
            **{f"pooling_mode_{name}": name == mode for name in modes},
        },
        "sentence_bert_config.json": {"max_seq_length": 384, "do_lower_case": False},
        "config_sentence_transformers.json": {"__version__": {"sentence_transformers": "2.0.0"}},
    }


def bert(config: dict, **more: object) -> dict[str, object]:
    return {"config.json": config, "tokenizer.json": words.bert_json(), "vocab.txt": words.vocab_txt(), **more}


def bert_base_uncased() -> Layout:
    config = {"architectures": ["BertForMaskedLM"], "gradient_checkpointing": False, **BERT, **LATER}
    table = weights("BertForPreTraining", BERT, *GAMMA)
    return table, bert(config, **{"tokenizer_config.json": SETTINGS}), SAFE


def distilbert_base_uncased() -> Layout:
    config = {"activation": "gelu", "architectures": ["DistilBertForMaskedLM"], "attention_dropout": 0.1, "dim": WIDTH}
    config |= {"dropout": 0.1, "hidden_dim": 32, "initializer_range": 0.02, "max_position_embeddings": ROWS}
    config |= {"model_type": "distilbert", "n_heads": 2, "n_layers": LAYERS, "pad_token_id": 0, "qa_dropout": 0.1}
    config |= {"seq_classif_dropout": 0.2, "sinusoidal_pos_embds": False, "tie_weights_": True}
    config |= {"vocab_size": BERT["vocab_size"]}
    return weights("DistilBertForMaskedLM", config), bert(config, **{"tokenizer_config.json": SETTINGS}), SAFE


def roberta_config(vocabulary: int, **more: object) -> dict:
    config = {**BERT, "architectures": ["RobertaForMaskedLM"], "bos_token_id": 0, "eos_token_id": 2}
    config |= {"layer_norm_eps": 1e-05, "model_type": "roberta", "pad_token_id": 1, "type_vocab_size": 1}
    return {**config, "vocab_size": vocabulary, **more}


def roberta_base() -> Layout:
    stored = words.roberta_json()
    config = roberta_config(len(stored["model"]["vocab"]))
    table = weights("RobertaForMaskedLM", config) | {"roberta.embeddings.position_ids": POSITIONS}
    files = {"config.json": config, "tokenizer.json": stored, "tokenizer_config.json": {"model_max_length": 512}}
    return table, files | words.roberta_files(), SAFE


def twitter_roberta() -> Layout:
    """A classifier, as cardiffnlp has them."""
    files = words.roberta_files()
    names = [f"LABEL_{number}" for number in range(3)]
    config = roberta_config(len(files["vocab.json"]), architectures=["RobertaForSequenceClassification"])
    config |= {"gradient_checkpointing": False, "label2id": {name: number for number, name in enumerate(names)}}
    config |= {"id2label": {str(number): name for number, name in enumerate(names)}}
    table = weights("RobertaForSequenceClassification", config) | {"roberta.embeddings.position_ids": POSITIONS}
    table |= {"roberta.pooler.dense.weight": torch.zeros(WIDTH, WIDTH), "roberta.pooler.dense.bias": torch.zeros(WIDTH)}
    roles = {**CLASSIFIER, "unk_token": "<unk>", "mask_token": MASK}
    return table, files | {"config.json": config, "special_tokens_map.json": roles}, PICKLE


def bert_base_chinese() -> Layout:
    """As Chinese models lie around: settings, words of Windows' line ends, and a pickle."""
    config = {"architectures": ["BertForMaskedLM"], **BERT, "directionality": "bidi", "model_type": "bert"}
    config |= {"pooler_fc_size": 768, "pooler_num_attention_heads": 12, "pooler_num_fc_layers": 3}
    config |= {"pooler_size_per_head": 128, "pooler_type": "first_token_transform"}
    table = weights("BertForPreTraining", BERT, *GAMMA)
    return table, {"config.json": config, "vocab.txt": words.vocab_txt("\r\n")}, PICKLE


def chinese_roberta_wwm_ext() -> Layout:
    config = {"architectures": ["BertForMaskedLM"], **BERT, "bos_token_id": 0, "directionality": "bidi"}
    config |= {"eos_token_id": 2, "layer_norm_eps": 1e-12, "model_type": "bert", "output_past": True, "pad_token_id": 0}
    more = {"added_tokens.json": {}, "special_tokens_map.json": ROLES, "tokenizer_config.json": {"init_inputs": []}}
    return weights("BertForPreTraining", BERT), bert(config, **more), PICKLE


def tinybert() -> Layout:
    config = {**BERT, "cell": {}, "emb_size": WIDTH, "model_type": "bert", "pre_trained": "", "structure": []}
    table = weights("BertForPreTraining", BERT)
    table |= {f"fit_denses.{number}.weight": torch.zeros(24, WIDTH) for number in range(LAYERS + 1)}
    return table, {"config.json": config | {"training": ""}, "vocab.txt": words.vocab_txt()}, PICKLE


def bert_tiny() -> Layout:
    return weights("BertForPreTraining", BERT), {"config.json": BERT, "vocab.txt": words.vocab_txt()}, PICKLE


def minilm_l6() -> Layout:
    config = {"architectures": ["BertModel"], **BERT, **LATER, "gradient_checkpointing": False}
    settings = {**SETTINGS, **ROLES, "tokenize_chinese_chars": True, "strip_accents": None, "never_split": None}
    settings |= {"do_basic_tokenize": True, "name_or_path": "nreimers/MiniLM-L6-H384-uncased"}
    settings |= {"special_tokens_map_file": "/root/.cache/huggingface/transformers/dd8bd9bf"}
    table = weights("BertModel", BERT) | {"embeddings.position_ids": POSITIONS}
    return table, bert(config, **{"tokenizer_config.json": settings}), PICKLE


def minilm_l12() -> Layout:
    config = {**BERT, "layer_norm_eps": 1e-12, "model_type": "bert", "pad_token_id": 0}
    files = {"config.json": config, "vocab.txt": words.vocab_txt(), "tokenizer_config.json": {"do_lower_case": True}}
    return half(under("bert.", weights("BertModel", BERT))), files, PICKLE


def bge_small() -> Layout:
    config = {"_name_or_path": "/root/.cache/torch/", "architectures": ["BertModel"], **BERT, **LATER}
    config |= {"classifier_dropout": None, "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
    listed = words.bert_json()["added_tokens"]
    settings = {**SETTINGS, **ROLES, "added_tokens_decoder": words.by_id(listed), "clean_up_tokenization_spaces": True}
    settings |= {
        "do_basic_tokenize": True,
        "never_split": None,
        "strip_accents": None,
        "tokenizer_class": "BertTokenizer",
    }
    padding = {"strategy": {"Fixed": 128}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0}
    cutting = {"direction": "Right", "max_length": 512, "strategy": "LongestFirst", "stride": 0}
    files = bert(config, **{"tokenizer_config.json": settings}, **pooled("cls_token"))
    files["tokenizer.json"] |= {"padding": padding | {"pad_type_id": 0, "pad_token": "[PAD]"}, "truncation": cutting}
    return weights("BertModel", BERT) | {"embeddings.position_ids": POSITIONS}, files, SAFE


def gte_small() -> Layout:
    table, files, name = bge_small()
    return half(table), files | pooled("mean_tokens"), name


def all_mpnet() -> Layout:
    config = {"architectures": ["MPNetForMaskedLM"], **BERT, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
    config |= {"layer_norm_eps": 1e-05, "model_type": "mpnet", "relative_attention_num_buckets": 32}
    del config["type_vocab_size"]
    settings = {**SETTINGS, **CLASSIFIER, "unk_token": "[UNK]", "mask_token": "<mask>", "tokenize_chinese_chars": True}
    settings |= {"strip_accents": None, "tokenizer_class": "MPNetTokenizer"}
    files = {"config.json": config, "tokenizer.json": words.mpnet_json(), "tokenizer_config.json": settings}
    files |= {"vocab.txt": words.vocab_txt(special=words.MPNET), **pooled("mean_tokens")}
    return weights("MPNetModel", config) | {"embeddings.position_ids": POSITIONS}, files, SAFE


def albert_base_v2() -> Layout:
    stored = words.albert_json()
    config = {"architectures": ["AlbertForMaskedLM"], **BERT, "attention_probs_dropout_prob": 0, "bos_token_id": 2}
    config |= {"classifier_dropout_prob": 0.1, "down_scale_factor": 1, "embedding_size": 8, "eos_token_id": 3}
    config |= {"gap_size": 0, "hidden_act": "gelu_new", "hidden_dropout_prob": 0, "inner_group_num": 1}
    config |= {"layer_norm_eps": 1e-12, "model_type": "albert", "net_structure_type": 0, "num_hidden_groups": 1}
    config |= {"num_memory_blocks": 0, "pad_token_id": 0, "vocab_size": len(stored["model"]["vocab"])}
    files = {"config.json": config, "tokenizer.json": stored, "tokenizer_config.json": {"model_max_length": 512}}
    return weights("AlbertForMaskedLM", config) | {"albert.embeddings.position_ids": POSITIONS}, files, SAFE


def deberta_v3_small() -> Layout:
    model = words.sentencepieces("[PAD]", "[CLS]", "[SEP]")
    config = {**BERT, "model_type": "deberta-v2", "layer_norm_eps": 1e-7, "max_relative_positions": -1}
    config |= {"norm_rel_ebd": "layer_norm", "pos_att_type": "p2c|c2p", "position_biased_input": False}
    config |= {"position_buckets": 16, "relative_attention": True, "share_att_key": True, "type_vocab_size": 0}
    config |= {"vocab_size": len(words.scored(model)[0]) + 20}
    table = under("deberta.", weights("DebertaV2Model", config))
    table |= {"lm_predictions.lm_head.bias": torch.zeros(config["vocab_size"])}
    table |= {"mask_predictions.dense.weight": torch.zeros(WIDTH, WIDTH)}
    files = {"config.json": config, "spm.model": model}
    return half(table), files | {"tokenizer_config.json": {"do_lower_case": False, "vocab_type": "spm"}}, PICKLE


def xlm_roberta_base() -> Layout:
    stored = words.xlm_json()
    config = roberta_config(len(stored["model"]["vocab"]), architectures=["XLMRobertaForMaskedLM"])
    config |= {"model_type": "xlm-roberta", "output_past": True}
    table = weights("XLMRobertaForMaskedLM", config) | {"roberta.embeddings.position_ids": POSITIONS}
    files = {"config.json": config, "tokenizer.json": stored, "sentencepiece.bpe.model": words.sentencepieces()}
    return table, files | {"tokenizer_config.json": {"model_max_length": 512}}, SAFE


def multilingual_e5_small() -> Layout:
    stored = words.xlm_json()
    stored["model"] = {"type": "Unigram", **stored["model"]}
    config = {"architectures": ["BertModel"], **BERT, **LATER, "tokenizer_class": "XLMRobertaTokenizer"}
    config |= {"vocab_size": len(stored["model"]["vocab"])}
    roles = {**CLASSIFIER, "unk_token": "<unk>"}
    settings = {**roles, "mask_token": {"__type": "AddedToken", **MASK}, "model_max_length": 512, "sp_model_kwargs": {}}
    settings |= {"tokenizer_class": "XLMRobertaTokenizer", "name_or_path": "microsoft/x"}
    files = {"config.json": config, "tokenizer.json": stored, "sentencepiece.bpe.model": words.sentencepieces()}
    files |= {"tokenizer_config.json": settings, "special_tokens_map.json": roles | {"mask_token": MASK}}
    table = weights("BertModel", config) | {"embeddings.position_ids": POSITIONS}
    return table, files | pooled("mean_tokens"), SAFE


def modernbert_base() -> Layout:
    stored = words.modernbert_json()
    numbers = {token["content"]: token["id"] for token in stored["added_tokens"]}
    config = {"architectures": ["ModernBertForMaskedLM"], "attention_bias": False, "attention_dropout": 0.0, **SIZES}
    config |= {"bos_token_id": numbers["[CLS]"], "classifier_activation": "gelu", "classifier_bias": False}
    config |= {"classifier_dropout": 0.0, "classifier_pooling": "mean", "cls_token_id": numbers["[CLS]"]}
    config |= {"decoder_bias": True, "deterministic_flash_attn": False, "embedding_dropout": 0.0}
    config |= {"eos_token_id": numbers["[SEP]"], "global_attn_every_n_layers": 3, "global_rope_theta": 160000.0}
    config |= {"gradient_checkpointing": False, "hidden_activation": "gelu", "initializer_cutoff_factor": 2.0}
    config |= {"initializer_range": 0.02, "layer_norm_eps": 1e-05, "local_attention": 8, "local_rope_theta": 10000.0}
    config |= {"mlp_bias": False, "mlp_dropout": 0.0, "model_type": "modernbert", "norm_bias": False, "norm_eps": 1e-05}
    config |= {"num_hidden_layers": 4, "pad_token_id": numbers["[PAD]"], "position_embedding_type": "absolute"}
    config |= {"sep_token_id": numbers["[SEP]"], "tie_word_embeddings": True, "torch_dtype": "float32"}
    config |= {"transformers_version": "4.47.0.dev0", "vocab_size": max(numbers.values()) + 5}
    settings = words.modernbert_settings(stored["added_tokens"])
    files = {"config.json": config, "tokenizer.json": stored, "tokenizer_config.json": settings}
    return weights("ModernBertForMaskedLM", config), files, SAFE


def electra_small() -> Layout:
    config = {"architectures": ["ElectraForPreTraining"], **BERT, **LATER, "embedding_size": 8, "model_type": "electra"}
    config |= {"summary_activation": "gelu", "summary_last_dropout": 0.1, "summary_type": "first"}
    table = weights("ElectraForPreTraining", config, *GAMMA)
    return table, bert(config, **{"tokenizer_config.json": SETTINGS}), SAFE


def bert_in_shards() -> Layout:
    """Two pickles with an index, in half precision."""
    vocabulary = words.vocab_txt(lowercase=False)
    config = {"architectures": ["BertForMaskedLM"], **BERT, "model_type": "bert", "torch_dtype": "bfloat16"}
    config |= {"vocab_size": vocabulary.count(b"\n")}
    table = half(weights("BertForMaskedLM", config), torch.bfloat16)
    files = {"config.json": config, "vocab.txt": vocabulary, "tokenizer_config.json": {"do_lower_case": False}}
    return table, files, "pytorch_model-{:05}-of-00002.bin"


SIX: dict[str, Callable[[], Layout]] = {
    "bert-base-uncased": bert_base_uncased,
    "roberta-base": roberta_base,
    "bert-base-chinese": bert_base_chinese,
    "TinyBERT_General_4L_312D": tinybert,
    "xlm-roberta-base": xlm_roberta_base,
    "ModernBERT-base": modernbert_base,
}
ALL = SIX | {
    "distilbert-base-uncased": distilbert_base_uncased,
    "twitter-roberta-base-sentiment": twitter_roberta,
    "chinese-roberta-wwm-ext": chinese_roberta_wwm_ext,
    "bert-tiny": bert_tiny,
    "MiniLM-L6-H384-uncased": minilm_l6,
    "MiniLM-L12-H384-uncased": minilm_l12,
    "bge-small-en": bge_small,
    "gte-small": gte_small,
    "all-mpnet-base-v2": all_mpnet,
    "albert-base-v2": albert_base_v2,
    "deberta-v3-small": deberta_v3_small,
    "multilingual-e5-small": multilingual_e5_small,
    "electra-small-discriminator": electra_small,
    "bert-in-shards": bert_in_shards,
}


def write(name: str, folder: Path) -> Path:
    """Write one of the models into a new folder."""
    table, files, file = ALL[name]()
    names = sorted(table)
    shards = {file.format(part + 1): names[part::2] for part in range(2)} if "{" in file else {file: names}
    if len(shards) > 1:
        placed = {name: shard for shard, some in shards.items() for name in some}
        files |= {"pytorch_model.bin.index.json": {"metadata": {"total_size": 1}, "weight_map": placed}}
    folder.mkdir()
    for shard, some in shards.items():
        part = {name: table[name].contiguous() for name in some}
        if shard.endswith(".bin"):
            torch.save(part, folder / shard)
        else:
            save_file(part, folder / shard, metadata={"format": "pt"})
    for label, content in files.items():
        path = folder / label
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode())
    return folder


def json_of(folder: Path, name: str) -> dict:
    """Read one of a folder's settings."""
    return json.loads((folder / name).read_text())
