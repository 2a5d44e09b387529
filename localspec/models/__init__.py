"""Language models: their files, what fits here, llama.cpp, weight formats, and what is built of these.

- `files/`: GGUF files as bytes, the catalogue, downloads, what lies in `models/`; nothing is loaded
- `llama/`: the only importer of llama_cpp
- `fit/`: memory, context lengths and GPU layers
- `quantization/`: other weight formats, and the search for the fastest one
- `draft.py` the draft model, `pairing.py` whether its vocabulary is the target's, `decode_times.py` measured
  T(k), `choice.py` what a choice would take
- `reading_speed.py` how long a prompt takes to be read
- `embedder.py` vectors of texts (the only importer of sentence_transformers), `text_encoder.py` the same in numpy, for
  a question, `quantized_encoder.py` in 8 bits, for passages (the only importer of onnxruntime),
  `token_counts.py` how many tokens a text has
- `offload.py` tries a load with layers on a graphics card in a child process, whose program is `device_trial.py`

May import errors, config, locks and texts; never `stores` or `speculation`. Imported by the rooms above:
`speculation.drafters` know `draft.py` alone; `chat`, `application`, `ui` and `cli` all of it.
"""
