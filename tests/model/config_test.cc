#include "model/config.h"

#include <gmock/gmock.h>

#include <random>

#include "base/file.h"
#include "model/known_models.h"
#include "tests/weights/test_files.h"
#include "weights/made_weights.h"

namespace qvl {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

fs::path test_configs() { return fs::path(QVL_SOURCE_DIR) / "tests/data/configs"; }

Json read_config(const fs::path& path) {
  return parse_json(read_file(path, ErrorKind::kModel, "model_config"), path.filename().string(), ErrorKind::kModel,
                    "model_config");
}

Json valid_config(const std::string& name = "qwen3-vl-2b") { return read_config(test_configs() / (name + ".json")); }

// The code of parsing the valid configuration with `value` at a JSON pointer; the field must be named as the pointer
// is.
std::string code_with(const std::string& pointer, const Json& value, const std::string& base, std::string* message) {
  Json json = valid_config(base);
  json[Json::json_pointer(pointer)] = value;
  return error_code_of([&] { parse_model_config(json, "config.json"); }, message);
}

std::vector<std::pair<std::string, Shape>> pairs(const std::vector<TensorSpec>& tensors) {
  std::vector<std::pair<std::string, Shape>> out;
  for (const TensorSpec& t : tensors) out.emplace_back(t.name, t.shape);
  return out;
}

struct Total {
  const char* name;
  int64_t parameters, vision;
};
// Spec 1.4.
constexpr Total kTotals[] = {
    {"qwen3-vl-2b", 2127532032, 406957056},       {"qwen3-vl-4b", 4437815808, 415347712},
    {"qwen3-vl-8b", 8767123696, 576388336},       {"qwen3-vl-32b", 33357390064, 595266800},
    {"qwen3-vl-30b-a3b", 31070754032, 538631408}, {"qwen3-vl-235b-a22b", 235670022896, 576388336},
};

int64_t elements(const Shape& shape) { return ConstTensorView{nullptr, DType::kU8, shape}.elements(); }

TEST(Config, AllSizesInBothStylesHaveTheTotalsOfTheSpec) {
  for (const Total& total : kTotals) {
    for (const std::string style : {"", ".transformers5"}) {
      SCOPED_TRACE(total.name + style);
      const ModelConfig config = parse_model_config(valid_config(total.name + style), "config.json");
      EXPECT_EQ(parameter_count(config), total.parameters);
      int64_t vision = 0;
      for (const TensorSpec& t : expected_tensors(config))
        vision += t.name.starts_with("model.visual.") ? elements(t.shape) : 0;
      EXPECT_EQ(vision, total.vision);
      EXPECT_EQ(config.text.rope.rope_theta, 5e6);
      EXPECT_THAT(config.text.rope.mrope_section, ElementsAre(24, 20, 20));
      EXPECT_FALSE(config.text.rope.yarn);
      EXPECT_EQ(config.vision.patch_dim(), 1536);
    }
  }
  EXPECT_THAT(expected_tensors(parse_model_config(valid_config("qwen3-vl-8b"), "")),
              testing::SizeIs(750));  // weights_8B.json
}

void expect_equal(const ModelConfig& a, const ModelConfig& b) {
  EXPECT_EQ(a.model_type, b.model_type);
  EXPECT_EQ(a.text.head_dim, b.text.head_dim);
  EXPECT_EQ(a.text.num_key_value_heads, b.text.num_key_value_heads);
  EXPECT_EQ(a.text.num_attention_heads, b.text.num_attention_heads);
  EXPECT_EQ(a.text.intermediate_size, b.text.intermediate_size);
  EXPECT_EQ(a.text.rms_norm_eps, b.text.rms_norm_eps);
  EXPECT_EQ(a.text.max_position_embeddings, b.text.max_position_embeddings);
  EXPECT_EQ(a.text.tie_word_embeddings, b.text.tie_word_embeddings);
  EXPECT_EQ(a.text.rope.rope_theta, b.text.rope.rope_theta);
  EXPECT_EQ(a.text.rope.mrope_section, b.text.rope.mrope_section);
  ASSERT_EQ(a.text.moe.has_value(), b.text.moe.has_value());
  if (a.text.moe) {
    EXPECT_EQ(a.text.moe->num_experts_per_tok, b.text.moe->num_experts_per_tok);
  }
  EXPECT_EQ(a.vision.num_heads, b.vision.num_heads);
  EXPECT_EQ(a.vision.deepstack_visual_indexes, b.vision.deepstack_visual_indexes);
  EXPECT_EQ(a.vision.num_position_embeddings, b.vision.num_position_embeddings);
  EXPECT_EQ(a.image_token_id, b.image_token_id);
  EXPECT_EQ(a.video_token_id, b.video_token_id);
  EXPECT_EQ(a.vision_start_token_id, b.vision_start_token_id);
  EXPECT_EQ(a.vision_end_token_id, b.vision_end_token_id);
  EXPECT_EQ(pairs(expected_tensors(a)), pairs(expected_tensors(b)));
}

TEST(Config, KnownModelsAreTheReleasedOnes) {
  std::vector<std::string> names;
  for (const Total& total : kTotals) {
    SCOPED_TRACE(total.name);
    names.push_back(total.name);
    const auto known = known_model(total.name);
    ASSERT_TRUE(known.has_value());
    expect_equal(*known, parse_model_config(valid_config(total.name), "config.json"));
    EXPECT_EQ(parameter_count(*known), total.parameters);
  }
  EXPECT_EQ(known_model_names(), names);
  EXPECT_FALSE(known_model("qwen3-vl-3b").has_value());
}

TEST(Config, CompactCopiesAreTheReferenceFiles) {
  const fs::path golden = golden_folder();
  if (golden.empty()) GTEST_SKIP() << "the full reference data is not here";
  const std::vector<std::pair<std::string, std::string>> files = {
      {"Qwen3-VL-2B-Instruct/config.json", "2b"},
      {"Qwen3-VL-4B-Instruct/config.json", "4b"},
      {"Qwen3-VL-8B-Instruct/config.json", "8b"},
      {"Qwen3-VL-32B-Instruct/config.partial.json", "32b"},
      {"Qwen3-VL-30B-A3B-Instruct/config.partial.json", "30b-a3b"}};
  for (const auto& [file, name] : files) {
    EXPECT_EQ(read_config(golden / "real-configs" / file), valid_config("qwen3-vl-" + name)) << file;
  }
}

TEST(Config, ReferenceCheckpointsMatchTheirConfigurations) {
  const fs::path golden = golden_folder();
  if (golden.empty()) GTEST_SKIP() << "the full reference data is not here";
  for (const std::string name : {"tiny-dense", "tiny-moe", "tiny-untied"}) {
    SCOPED_TRACE(name);
    const fs::path folder = golden / "checkpoints" / name;
    const ModelConfig config = load_model_config(folder);
    const auto store = open_safetensors(folder);
    check_tensors(*store, config);
    std::vector<std::string> expected, found = store->names();
    for (const TensorSpec& t : expected_tensors(config)) expected.push_back(t.name);
    std::sort(expected.begin(), expected.end());
    std::sort(found.begin(), found.end());
    EXPECT_EQ(expected, found);
    EXPECT_THAT(load_generation_config(folder, config).eos_token_id, ElementsAre(2050, 2048));
    Json json = read_config(folder / "config.json");
    json["text_config"]["vocab_size"] = config.text.vocab_size - 2;  // MOD-041
    EXPECT_EQ(error_code_of([&] { check_tensors(*store, parse_model_config(json, "config.json")); }), "model_config");
    json = read_config(folder / "config.json");
    json["vision_config"]["intermediate_size"] = config.vision.intermediate_size + 1;  // MOD-027
    EXPECT_EQ(error_code_of([&] { check_tensors(*store, parse_model_config(json, "config.json")); }), "model_shape");
  }
}

TEST(Config, RefusesWhatIsOutOfRange) {
  struct Row {
    const char* base;
    const char* pointer;
    Json value;
    const char* in_message;
  };
  const int64_t kBig = int64_t{1} << 31;
  std::vector<Row> rows;
  // Every dimension: zero, negative, too large, past 64 bits, a fraction, a string, a list.
  for (const char* pointer :
       {"/text_config/vocab_size", "/text_config/hidden_size", "/text_config/intermediate_size",
        "/text_config/num_hidden_layers", "/text_config/num_attention_heads", "/text_config/num_key_value_heads",
        "/text_config/head_dim", "/vision_config/depth", "/vision_config/hidden_size",
        "/vision_config/intermediate_size", "/vision_config/num_heads", "/vision_config/in_channels",
        "/vision_config/patch_size", "/vision_config/temporal_patch_size", "/vision_config/spatial_merge_size",
        "/vision_config/num_position_embeddings", "/vision_config/out_hidden_size"}) {
    for (const Json& value :
         {Json(0), Json(-1), Json(kBig), Json(~uint64_t{0}), Json(2048.0), Json("2048"), Json::array({1})}) {
      rows.push_back({"qwen3-vl-2b", pointer, value, "expected"});
    }
  }
  for (const char* pointer : {"/text_config/num_experts", "/text_config/num_experts_per_tok",
                              "/text_config/moe_intermediate_size", "/text_config/decoder_sparse_step"}) {
    for (const Json& value : {Json(0), Json(-1), Json(kBig), Json("8"), Json(1.5)}) {
      rows.push_back({"qwen3-vl-30b-a3b", pointer, value, "expected 1.."});
    }
  }
  for (const char* pointer : {"/image_token_id", "/video_token_id", "/vision_start_token_id", "/vision_end_token_id"}) {
    for (const Json& value : {Json(-1), Json(151936), Json("a"), Json(nullptr)}) {
      rows.push_back({"qwen3-vl-2b", pointer, value, "expected 0..151935"});
    }
  }
  const std::vector<Row> more = {
      {"qwen3-vl-2b", "/model_type", "qwen2_vl", "\"qwen3_vl\" or \"qwen3_vl_moe\", found \"qwen2_vl\""},
      {"qwen3-vl-2b", "/model_type", nullptr, "found nothing"},
      {"qwen3-vl-2b", "/text_config", nullptr, "text_config: expected an object, found nothing"},
      {"qwen3-vl-2b", "/text_config", Json::array(), "text_config: expected a JSON object"},
      {"qwen3-vl-2b", "/vision_config", 7, "vision_config: expected a JSON object"},
      {"qwen3-vl-2b", "/text_config/hidden_size", nullptr, "text_config.hidden_size: expected 1..65536, found nothing"},
      {"qwen3-vl-2b", "/text_config/num_key_value_heads", 5, "a divisor of num_attention_heads = 16"},
      {"qwen3-vl-2b", "/text_config/num_key_value_heads", 32, "1..16"},
      {"qwen3-vl-2b", "/text_config/head_dim", 127, "even"},
      {"qwen3-vl-2b", "/text_config/hidden_act", "gelu", "\"silu\""},
      {"qwen3-vl-2b", "/text_config/attention_bias", true, "false"},
      {"qwen3-vl-2b", "/text_config/attention_bias", "no", "true or false"},
      {"qwen3-vl-2b", "/text_config/rms_norm_eps", 0, "rms_norm_eps"},
      {"qwen3-vl-2b", "/text_config/rms_norm_eps", "1e-6", "a number"},
      {"qwen3-vl-2b", "/text_config/max_position_embeddings", int64_t{1} << 40, "2147483648"},
      {"qwen3-vl-2b", "/text_config/max_position_embeddings", 0, "1..2147483648"},
      {"qwen3-vl-2b", "/text_config/eos_token_id", 151936, "eos_token_id"},
      {"qwen3-vl-2b", "/text_config/eos_token_id", Json::array({1, -1}), "eos_token_id"},
      {"qwen3-vl-2b", "/text_config/rope_theta", nullptr, "rope_theta"},
      {"qwen3-vl-2b", "/text_config/rope_theta", 0, "rope_theta"},
      {"qwen3-vl-2b", "/text_config/rope_theta", 1, "rope_theta"},
      {"qwen3-vl-2b", "/text_config/rope_scaling", nullptr, "rope_scaling"},
      {"qwen3-vl-2b", "/text_config/rope_scaling/rope_type", "linear", "\"yarn\""},
      {"qwen3-vl-2b", "/text_config/rope_scaling/rope_type", "yarn", "factor"},
      {"qwen3-vl-2b", "/text_config/rope_scaling/mrope_interleaved", false, "true"},
      {"qwen3-vl-2b", "/text_config/rope_scaling/mrope_section", Json::array({24, 20, 21}), "sum head_dim / 2 = 64"},
      {"qwen3-vl-2b", "/text_config/rope_scaling/mrope_section", Json::array({24, 40}), "three numbers"},
      {"qwen3-vl-2b", "/text_config/rope_scaling/mrope_section", Json::array({24, -20, 60}), "mrope_section"},
      {"qwen3-vl-2b", "/text_config/rope_scaling/mrope_section", Json::array({24, 20, 20, 0}), "mrope_section"},
      {"qwen3-vl-2b", "/tie_word_embeddings", "yes", "true or false"},
      {"qwen3-vl-2b", "/video_token_id", 151655, "different ids"},
      {"qwen3-vl-2b", "/quantization_config", Json{{"quant_method", "awq"}}, "\"fp8\", found \"awq\""},
      {"qwen3-vl-2b", "/quantization_config", Json{{"quant_method", "fp8"}, {"weight_block_size", {64, 64}}},
       "[128, 128]"},
      {"qwen3-vl-2b", "/vision_config/num_heads", 15, "a divisor of hidden_size = 1024"},
      {"qwen3-vl-2b", "/vision_config/num_heads", 512, "multiple of 4"},
      {"qwen3-vl-2b", "/vision_config/num_position_embeddings", 2303, "square"},
      {"qwen3-vl-2b", "/vision_config/out_hidden_size", 2560, "expected 2048, found 2560"},
      {"qwen3-vl-2b", "/vision_config/hidden_act", "gelu", "gelu_pytorch_tanh"},
      {"qwen3-vl-2b", "/vision_config/deepstack_visual_indexes", Json::array({5, 11, 24}), "0..23"},
      {"qwen3-vl-2b", "/vision_config/deepstack_visual_indexes", Json::array({5, 5, 17}), "ascending"},
      {"qwen3-vl-2b", "/vision_config/deepstack_visual_indexes", Json::array({11, 5, 17}), "ascending"},
      {"qwen3-vl-2b", "/vision_config/deepstack_visual_indexes", 5, "a list"},
      {"qwen3-vl-2b", "/text_config/num_hidden_layers", 2, "at most num_hidden_layers = 2"},
      {"qwen3-vl-30b-a3b", "/text_config/num_experts_per_tok", 129, "1..128"},
      {"qwen3-vl-30b-a3b", "/text_config/mlp_only_layers", Json::array({48}), "0..47"},
      {"qwen3-vl-30b-a3b", "/text_config/norm_topk_prob", 1, "true or false"},
  };
  rows.insert(rows.end(), more.begin(), more.end());
  for (const Row& row : rows) {
    SCOPED_TRACE(fmt::format("{} = {}", row.pointer, row.value.dump()));
    std::string message;
    EXPECT_EQ(code_with(row.pointer, row.value, row.base, &message), "model_config");
    EXPECT_THAT(message, HasSubstr(row.in_message));
    EXPECT_TRUE(message.starts_with("config.json: ")) << message;
  }
  std::string message;
  code_with("/text_config/hidden_size", 0, "qwen3-vl-2b", &message);
  EXPECT_EQ(message, "config.json: text_config.hidden_size: expected 1..65536, found 0");
}

TEST(Config, MissingEmptyOrStrangeFiles) {  // MOD-036
  const TempFolder folder;
  const auto code = [&] { return error_code_of([&] { load_model_config(folder.path); }); };
  EXPECT_EQ(code(), "model_config");
  for (const std::string bad :
       {"", "[]", "null", "7", "{", "{}", "{\"model_type\":\"qwen3_vl\",\"model_type\":\"qwen3_vl\"}",
        "{\"model_type\":1e999}", "{\"\xff\":1}"}) {
    folder.write("config.json", bad);
    EXPECT_EQ(code(), "model_config") << bad;
  }
  folder.write("config.json", std::string(100000, '['));
  EXPECT_EQ(code(), "model_config");
  fs::remove(folder.path / "config.json");
  fs::create_directory(folder.path / "config.json");
  EXPECT_EQ(code(), "model_config");
}

TEST(Config, TheTopLevelTieFlagCounts) {
  const auto tied = [](const Json& top, const Json& text) {
    Json json = valid_config();
    json["tie_word_embeddings"] = top;
    json["text_config"]["tie_word_embeddings"] = text;
    return parse_model_config(json, "config.json").text.tie_word_embeddings;
  };
  EXPECT_TRUE(tied(true, false));
  EXPECT_FALSE(tied(false, true));
  EXPECT_TRUE(tied(nullptr, true));
  EXPECT_FALSE(tied(nullptr, nullptr));
}

TEST(Config, Yarn) {
  Json json = valid_config();
  Json& text = json["text_config"];
  text["max_position_embeddings"] = 1000000;
  text["rope_scaling"]["rope_type"] = "yarn";
  text["rope_scaling"]["factor"] = 3.0;
  text["rope_scaling"]["original_max_position_embeddings"] = 262144;
  const RopeConfig old_style = parse_model_config(json, "").text.rope;
  EXPECT_TRUE(old_style.yarn);
  EXPECT_EQ(old_style.factor, 3);
  EXPECT_EQ(old_style.original_max_position_embeddings, 262144);
  EXPECT_EQ(old_style.beta_fast, 32);
  EXPECT_FALSE(old_style.attention_factor.has_value());
  // The oldest spelling of the type, and the newest place.
  text["rope_scaling"].erase("rope_type");
  text["rope_scaling"]["type"] = "yarn";
  EXPECT_TRUE(parse_model_config(json, "").text.rope.yarn);
  text["rope_parameters"] = text["rope_scaling"];
  text.erase("rope_scaling");
  text["rope_parameters"]["rope_theta"] = 1e6;
  text["rope_parameters"]["attention_factor"] = 1.25;
  const RopeConfig new_style = parse_model_config(json, "").text.rope;
  EXPECT_EQ(new_style.rope_theta, 1e6);
  EXPECT_EQ(new_style.attention_factor, 1.25);
  for (const auto& [key, value] : std::vector<std::pair<std::string, Json>>{{"factor", 0},
                                                                            {"factor", 0.5},
                                                                            {"factor", "3"},
                                                                            {"beta_slow", 64},
                                                                            {"beta_fast", 0},
                                                                            {"truncate", false},
                                                                            {"mscale", 1},
                                                                            {"attention_factor", 0},
                                                                            {"original_max_position_embeddings", 0}}) {
    Json bad = json;
    bad["text_config"]["rope_parameters"][key] = value;
    EXPECT_EQ(error_code_of([&] { parse_model_config(bad, ""); }), "model_config") << key;
  }
}

TEST(Config, DefaultsWhereTheReferenceHasThem) {
  Json json = valid_config("qwen3-vl-8b");
  for (const char* key : {"head_dim", "rms_norm_eps", "attention_bias", "hidden_act"}) json["text_config"].erase(key);
  for (const char* key :
       {"in_channels", "patch_size", "temporal_patch_size", "spatial_merge_size", "deepstack_visual_indexes"}) {
    json["vision_config"].erase(key);
  }
  json["text_config"]["rope_scaling"].erase("mrope_section");
  EXPECT_EQ(parameter_count(parse_model_config(json, "")), 8767123696);
}

TEST(Config, DenseLayersAmongMoeOnes) {
  Json json = valid_config("qwen3-vl-30b-a3b");
  json["text_config"]["decoder_sparse_step"] = 2;
  json["text_config"]["mlp_only_layers"] = {3, 5};
  const ModelConfig config = parse_model_config(json, "");
  std::vector<int> moe;
  for (int layer = 0; layer < 10; ++layer) {
    if (config.text.layer_is_moe(layer)) moe.push_back(layer);
  }
  EXPECT_THAT(moe, ElementsAre(1, 7, 9));
  json["text_config"].erase("intermediate_size");
  EXPECT_EQ(error_code_of([&] { parse_model_config(json, ""); }), "model_config");
  json["text_config"]["decoder_sparse_step"] = 1;
  json["text_config"]["mlp_only_layers"] = Json::array();
  EXPECT_EQ(parameter_count(parse_model_config(json, "")), 31070754032);
}

TEST(Config, Fp8FilesAreAccepted) {
  Json json = valid_config();
  json["quantization_config"] = {
      {"quant_method", "fp8"}, {"fmt", "e4m3"}, {"activation_scheme", "dynamic"}, {"weight_block_size", {128, 128}}};
  EXPECT_EQ(error_code_of([&] { parse_model_config(json, ""); }), "");
}

TEST(GenerationConfig, IdsAndDefaults) {
  const TempFolder folder;
  const ModelConfig config = parse_model_config(valid_config(), "");
  EXPECT_THAT(load_generation_config(folder.path, config).eos_token_id, ElementsAre(151645));  // config.json's
  folder.write("generation_config.json",
               R"({"eos_token_id":[151645,151643],"temperature":0.7,"top_k":20,"top_p":0.8,"do_sample":false,)"
               R"("repetition_penalty":1.0,"bos_token_id":151643,"transformers_version":"4.57.0"})");
  const GenerationConfig read = load_generation_config(folder.path, config);
  EXPECT_THAT(read.eos_token_id, ElementsAre(151645, 151643));
  EXPECT_EQ(read.temperature, 0.7);
  EXPECT_EQ(read.top_k, 20);
  EXPECT_EQ(read.top_p, 0.8);
  EXPECT_EQ(read.repetition_penalty, 1.0);
  EXPECT_FALSE(read.min_p.has_value());
  EXPECT_FALSE(read.do_sample);
  folder.write("generation_config.json", R"({"eos_token_id":7})");
  EXPECT_THAT(load_generation_config(folder.path, config).eos_token_id, ElementsAre(7));
  for (const std::string bad : {"", "[]", R"({"eos_token_id":151936})", R"({"eos_token_id":[1,"a"]})",
                                R"({"temperature":-1})", R"({"top_p":1.5})", R"({"top_k":2.5})", R"({"min_p":"0"})",
                                R"({"repetition_penalty":0})", R"({"do_sample":"yes"})", R"({"presence_penalty":3})"}) {
    folder.write("generation_config.json", bad);
    EXPECT_EQ(error_code_of([&] { load_generation_config(folder.path, config); }), "model_config") << bad;
  }
}

// A configuration small enough to hold, with every kind of tensor.
ModelConfig small_config(bool tied) {
  Json json = valid_config("qwen3-vl-30b-a3b");
  const auto set = [](Json& object, const std::vector<std::pair<const char*, int>>& values) {
    for (const auto& [key, value] : values) object[key] = value;
  };
  json["tie_word_embeddings"] = tied;
  set(json["text_config"], {{"vocab_size", 40},
                            {"hidden_size", 12},
                            {"intermediate_size", 7},
                            {"num_hidden_layers", 4},
                            {"num_attention_heads", 2},
                            {"num_key_value_heads", 1},
                            {"num_experts", 3},
                            {"num_experts_per_tok", 2},
                            {"moe_intermediate_size", 5},
                            {"decoder_sparse_step", 2}});
  set(json["vision_config"], {{"depth", 2},
                              {"hidden_size", 8},
                              {"intermediate_size", 9},
                              {"num_heads", 2},
                              {"num_position_embeddings", 9},
                              {"out_hidden_size", 12}});
  json["vision_config"]["deepstack_visual_indexes"] = {0, 1};
  set(json, {{"image_token_id", 1}, {"video_token_id", 2}, {"vision_start_token_id", 3}, {"vision_end_token_id", 4}});
  return parse_model_config(json, "config.json");
}

TEST(CheckTensors, NamesMissingAndMisshapenOnes) {
  const ModelConfig config = small_config(false);
  const auto tensors = pairs(expected_tensors(config));
  std::string message;
  const auto code = [&](std::vector<std::pair<std::string, Shape>> list) {
    return error_code_of([&] { check_tensors(*made_weights(std::move(list), 1), config); }, &message);
  };
  EXPECT_EQ(code(tensors), "");
  for (size_t i = 0; i < tensors.size(); ++i) {
    SCOPED_TRACE(tensors[i].first);
    auto list = tensors;
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_EQ(code(list), "model_tensor_missing");
    EXPECT_THAT(message, HasSubstr(tensors[i].first));
    list = tensors;
    ++list[i].second.back();
    EXPECT_EQ(code(list), "model_shape");
    EXPECT_THAT(message, HasSubstr(tensors[i].first.substr(0, 30)));
  }
  EXPECT_EQ(code({tensors.begin() + 7, tensors.end()}), "model_tensor_missing");
  EXPECT_THAT(message, HasSubstr("7 tensors of the model are missing: model.language_model.embed_tokens.weight, "));
  EXPECT_THAT(message, HasSubstr(" and 2 more"));
  auto list = tensors;
  list[0].second[0] = 41;  // MOD-041
  EXPECT_EQ(code(list), "model_config");
  EXPECT_THAT(message, HasSubstr("text_config.vocab_size: expected 41"));
}

TEST(CheckTensors, ATiedModelMayRepeatItsEmbedding) {
  const ModelConfig config = small_config(true);
  auto tensors = pairs(expected_tensors(config));
  EXPECT_EQ(std::count_if(tensors.begin(), tensors.end(), [](const auto& t) { return t.first == "lm_head.weight"; }),
            0);
  tensors.emplace_back("lm_head.weight", Shape{40, 12});
  EXPECT_EQ(error_code_of([&] { check_tensors(*made_weights(tensors, 1), config); }), "");
  tensors.back().second = {39, 12};
  EXPECT_EQ(error_code_of([&] { check_tensors(*made_weights(tensors, 1), config); }), "model_shape");
}

TEST(CheckTensors, SurplusTensorsAreLeftToWarnAbout) {  // MOD-029
  const ModelConfig config = small_config(false);
  auto tensors = pairs(expected_tensors(config));
  tensors.emplace_back("model.visual.rotary_emb.inv_freq", Shape{2});
  const auto store = made_weights(tensors, 1);
  check_tensors(*store, config);
  EXPECT_THAT(store->not_taken(), testing::Contains("model.visual.rotary_emb.inv_freq"));
  EXPECT_THAT(store->not_taken(), testing::SizeIs(tensors.size()));  // checking takes nothing
}

TEST(Config, SurvivesMutations) {
  const std::string valid[] = {valid_config().dump(), valid_config("qwen3-vl-30b-a3b.transformers5").dump()};
  std::mt19937 random(5);
  const std::string interesting = "{}[]\",:0123456789-.e\\untf\xff";
  const std::string values[] = {"0",  "-1",   "1e300",     "18446744073709551616", "null", "\"\"", "[]",
                                "{}", "true", "4294967296"};
  int accepted = 0, refused = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string text = valid[random() % 2];
    for (int edits = 1 + static_cast<int>(random() % 2); edits > 0; --edits) {
      const size_t at = random() % text.size();
      switch (random() % 5) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text[at] = interesting[random() % interesting.size()];
          break;
        case 2:
          text.erase(at, 1 + random() % 8);
          break;
        case 3:
          text.insert(at, 1, interesting[random() % interesting.size()]);
          break;
        default: {  // another value for a field
          const size_t colon = text.find(':', at), end = text.find_first_of(",}", colon);
          if (end != std::string::npos) text.replace(colon + 1, end - colon - 1, values[random() % std::size(values)]);
        }
      }
    }
    try {
      const Json json = parse_json(text, "config.json", ErrorKind::kModel, "model_config");
      const ModelConfig config = parse_model_config(json, "config.json");
      ASSERT_GT(parameter_count(config), 0) << text;
      ++accepted;
    } catch (const Error& e) {
      ASSERT_EQ(e.kind, ErrorKind::kModel) << e.what();
      ++refused;
    }
  }
  EXPECT_GT(accepted, 300);
  EXPECT_GT(refused, 2000);
}

}  // namespace
}  // namespace qvl
