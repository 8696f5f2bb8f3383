// What a model says of checkpoints whose tensors are not what config.json promises.
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "base/error.h"
#include "tests/model/tiny_checkpoint.h"

namespace qvl {
namespace {

// A checkpoint's tensors with some of them changed.
class ChangedStore : public WeightStore {
 public:
  explicit ChangedStore(const std::string& checkpoint) : store_(open_safetensors(tiny_folder(checkpoint))), names_(store_->names()) {}

  void remove(const std::string& name) { std::erase(names_, name); }
  void reshape(const std::string& name, Shape shape) { shapes_[name] = std::move(shape); }
  void add(const std::string& name, const std::string& copy_of) {
    names_.push_back(name);
    copies_[name] = copy_of;
  }

  std::vector<std::string> names() const override { return names_; }
  bool has(const std::string& name) const override { return std::find(names_.begin(), names_.end(), name) != names_.end(); }
  ConstTensorView view(const std::string& name) override {
    if (!has(name)) throw Error(ErrorKind::kModel, "model_tensor_missing", name + " is missing");
    auto view = store_->view(copies_.contains(name) ? copies_[name] : name);
    if (shapes_.contains(name)) view.shape = shapes_[name];
    return view;
  }
  void release(const std::string& name) override {
    if (!copies_.contains(name)) store_->release(name);
  }

 private:
  std::unique_ptr<WeightStore> store_;
  std::vector<std::string> names_;
  std::map<std::string, Shape> shapes_;
  std::map<std::string, std::string> copies_;
};

Error error_of(const std::string& checkpoint, const std::function<void(ChangedStore&)>& change) {
  ChangedStore store(checkpoint);
  change(store);
  const auto backend = make_ref_backend();
  try {
    const Model model(*backend, store, load_model_config(tiny_folder(checkpoint)));
  } catch (const Error& e) {
    return e;
  }
  return {ErrorKind::kInternal, "none", "no error"};
}

TEST(ModelTensors, EachIsTakenOnce) {
  for (const char* checkpoint : {"tiny-untied", "tiny-moe"}) {
    ChangedStore store(checkpoint);
    const auto backend = make_ref_backend();
    const Model model(*backend, store, load_model_config(tiny_folder(checkpoint)));
    EXPECT_TRUE(store.not_taken().empty());
  }
}

// Every single tensor: without it, the error names it.
TEST(ModelTensors, TheMissingOneIsNamed) {
  for (const char* checkpoint : {"tiny-untied", "tiny-moe"}) {
    const auto names = ChangedStore(checkpoint).names();
    ASSERT_GT(names.size(), 100u);
    for (size_t i = 0; i < names.size(); i += 3) {
      const Error e = error_of(checkpoint, [&](ChangedStore& store) { store.remove(names[i]); });
      EXPECT_EQ(e.kind, ErrorKind::kModel) << names[i];
      EXPECT_EQ(e.code, "model_tensor_missing") << names[i];
      // A fused tensor may be looked for under the names of its parts.
      const std::string stem = names[i].substr(0, names[i].find(".experts"));
      EXPECT_NE(std::string(e.what()).find(stem), std::string::npos) << e.what();
    }
  }
}

TEST(ModelTensors, TheMisshapenOneIsNamed) {
  for (const char* name : {"model.language_model.embed_tokens.weight", "model.language_model.layers.1.self_attn.k_proj.weight",
                           "model.language_model.layers.0.mlp.down_proj.weight", "model.language_model.norm.weight",
                           "model.visual.blocks.3.attn.proj.bias", "model.visual.deepstack_merger_list.1.norm.weight", "lm_head.weight"}) {
    const Error e = error_of("tiny-untied", [&](ChangedStore& store) {
      Shape shape = store.view(name).shape;
      shape[0] += 1;
      store.reshape(name, shape);
    });
    EXPECT_EQ(e.code, "model_shape") << name;
    EXPECT_NE(std::string(e.what()).find(name), std::string::npos) << e.what();
  }
}

TEST(ModelTensors, SurplusOnesAreLeftAndKnown) {
  ChangedStore store("tiny-untied");
  store.add("model.visual.blocks.0.attn.extra.bias", "model.visual.blocks.0.attn.proj.bias");
  const auto backend = make_ref_backend();
  const Model model(*backend, store, load_model_config(tiny_folder("tiny-untied")));
  EXPECT_EQ(store.not_taken(), std::vector<std::string>{"model.visual.blocks.0.attn.extra.bias"});
}

TEST(ModelTensors, ATiedModelAcceptsACopyOfItsEmbedding) {
  auto config = load_model_config(tiny_folder("tiny-untied"));
  config.text.tie_word_embeddings = true;
  const auto backend = make_ref_backend();
  ChangedStore with("tiny-untied");
  const Model repeated(*backend, with, config);
  EXPECT_TRUE(with.not_taken().empty());
  ChangedStore without("tiny-untied");
  without.remove("lm_head.weight");
  const Model tied(*backend, without, config);
  EXPECT_TRUE(without.not_taken().empty());
}

}  // namespace
}  // namespace qvl
