// The tiny tokenizer and a served model over a FakeEngine, for tests of the layers above the engine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "chat/served_model.h"
#include "tests/chat/fake_engine.h"

namespace qvl {

inline const Tokenizer& tiny_tokenizer() {
  static const Tokenizer tokenizer = Tokenizer::load(std::filesystem::path(QVL_SOURCE_DIR) / "tests/data/text/tiny");
  return tokenizer;
}

inline int32_t added_id(std::string_view token) { return tiny_tokenizer().added_token_id(token).value(); }

inline ModelConfig tiny_config() {
  ModelConfig config;
  config.text.vocab_size = 2080;
  config.vision.spatial_merge_size = 2;
  config.image_token_id = added_id("<|image_pad|>");
  config.video_token_id = added_id("<|video_pad|>");
  config.vision_start_token_id = added_id("<|vision_start|>");
  config.vision_end_token_id = added_id("<|vision_end|>");
  return config;
}

inline ServedModel tiny_model(std::string id, TemplateKind kind, Engine& engine) {
  ServedModel model;
  model.id = std::move(id);
  model.template_kind = kind;
  model.demo = true;
  model.tokenizer = &tiny_tokenizer();
  model.engine = &engine;
  model.config = tiny_config();
  model.processor.image = {8192, 65536};
  model.created = 1700000000;
  return model;
}

// Ids of text in which added tokens count.
inline std::vector<int32_t> ids_of(std::string_view text) { return tiny_tokenizer().encode_with_added_tokens(text); }

// A PNG of 40 x 30 grey pixels.
inline constexpr std::string_view kPng =
    "iVBORw0KGgoAAAANSUhEUgAAACgAAAAeCAAAAAB7tgMBAAABh0lEQVR42mNgYOXiF5GUU9bQNTK3cXTzDgiNik/JzCuuqG1q75k4bfaCpavWb9"
    "m57zADMwevkLiMopq2gamVvYunX3BEbFJ6TmFZdUNrV/+UmfMWr1i7afueg8cY2LgFRKXkVTT1jC1sndx9AsOiE1Kz8ksq65o7eidNn7Nw2eoN"
    "W3ftP3KSgZNPWEJWSV3H0MzawdXLPyQyLjkjt6i8prGte8LUWfOXrFy3ecfeQ8fPMPAIikkrqGrpm1jaOXv4BoXHJKZlF5RW1bd09k2eMXfR8j"
    "Ubt+0+cPTUeQaifHLi7CUGonxy+sJVBqJ8cu7yDQaifHLx2m0Gonxy5eY9BqJ8cv3OQwaifHLr/hMGonxy99FzBqJ88uDpKwaifPL4xVsGonzy"
    "7PUHBqJ88vLdZwaifPLm4zcGonzy/stPBqJ88un7HwaifPL1138Gonzy4y8TA1E++c3AykCUT/4xczAQ5RNGNm4GonzCwsnHQJRP2HkEGYjyCb"
    "DUYSDKJ8BSh4EonwBLHQDNvnYPwxhIdAAAAABJRU5ErkJggg==";

// A PNG of 64 x 64 pixels of one colour: large enough for a video.
inline constexpr std::string_view kFrame =
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAAT0lEQVR42u3PQQkAAAgEsEty/aMYywi+hcEKLNO+FgEBAQEBAQEB"
    "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQGBywLKp0DxvxLbjwAAAABJRU5ErkJggg==";

}  // namespace qvl
