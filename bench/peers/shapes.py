"""The released sizes of Qwen3-VL, for make_gguf.py and run_transformers.py. As src/model/known_models.cc."""

VOCAB = 151936
CONTEXT = 262144
HEAD_DIM = 128
RMS_EPS = 1e-6
ROPE_THETA = 5e6
MROPE_SECTION = [24, 20, 20]
PATCH, TEMPORAL, MERGE, POSITIONS = 16, 2, 2, 2304

_SMALL_TOWER = dict(depth=24, hidden=1024, ffn=4096, heads=16, deepstack=[5, 11, 17])
_LARGE_TOWER = dict(depth=27, hidden=1152, ffn=4304, heads=16, deepstack=[8, 16, 24])

SIZES = {
    "2b": dict(hidden=2048, layers=28, heads=16, kv_heads=8, ffn=6144, tied=True, tower=_SMALL_TOWER),
    "4b": dict(hidden=2560, layers=36, heads=32, kv_heads=8, ffn=9728, tied=True, tower=_SMALL_TOWER),
    "8b": dict(hidden=4096, layers=36, heads=32, kv_heads=8, ffn=12288, tied=False, tower=_LARGE_TOWER),
    "30b-a3b": dict(hidden=2048, layers=48, heads=32, kv_heads=4, ffn=6144, experts=128, experts_used=8, expert_ffn=768,
                    tied=False, tower=_LARGE_TOWER),
}
