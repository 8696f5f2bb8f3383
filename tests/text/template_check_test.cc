// Which template a model's folder asks for, and which are refused.
#include "text/template_check.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/text/test_data.h"

namespace qvl::test {
namespace {

std::string repeat(std::string_view unit, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += unit;
  return out;
}

std::string code_of(const std::string& source) {
  try {
    check_template(source, "t.jinja");
    return "";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind, ErrorKind::kModel);
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
    return e.code;
  }
}

TEST(TemplateCheck, RecognisesTheTwo) {
  EXPECT_EQ(check_template(read_text(text_data() / "qwen3-vl-instruct.jinja"), "t"), TemplateKind::kInstruct);
  EXPECT_EQ(check_template(read_text(text_data() / "qwen3-vl-thinking.jinja"), "t"), TemplateKind::kThinking);
  // Opens a thought only where the request says so.
  EXPECT_EQ(check_template(read_text(text_data() / "demo-template.jinja"), "t"), TemplateKind::kInstruct);
}

TEST(TemplateCheck, ThinkingIsAThoughtThatStaysOpen) {
  const auto kind = [](const std::string& inner) {
    return check_template(
        "{% for m in messages %}{{ '<think>' }}{% endfor %}{%- if add_generation_prompt %}" + inner + "{% endif %}",
        "t");
  };
  EXPECT_EQ(kind("<|im_start|>assistant\n<think>\n"), TemplateKind::kThinking);
  EXPECT_EQ(kind("{{ '<|im_start|>assistant\n' + \"<think>\\n\" }}"), TemplateKind::kThinking);
  EXPECT_EQ(kind("{{ '<|im_start|>assistant\n' }}"), TemplateKind::kInstruct);
  EXPECT_EQ(kind("{{ '<think>\n\n</think>\n\n' }}"), TemplateKind::kInstruct);
  EXPECT_EQ(kind("{{ '<think>\n' if enable_thinking else '' }}"), TemplateKind::kInstruct);
  EXPECT_EQ(kind("{% if enable_thinking %}<think>\n{% endif %}"), TemplateKind::kInstruct);
  EXPECT_EQ(kind("x{% else %}<think>\n"), TemplateKind::kInstruct);
  EXPECT_EQ(kind("{# <think> #}"), TemplateKind::kInstruct);
  EXPECT_EQ(check_template("{% if not add_generation_prompt %}<think>\n{% endif %}", "t"), TemplateKind::kInstruct);
  EXPECT_EQ(check_template("", "t"), TemplateKind::kInstruct);
}

TEST(TemplateCheck, Syntax) {
  for (const char* source : {"{%",
                             "{{",
                             "{#",
                             "a {% if x",
                             "{{ x",
                             "{{ 'x }}",
                             "{{ \"x\\\" }}",
                             "{{ (x }}",
                             "{{ x) }}",
                             "{{ [x) }}",
                             "{% if x %}",
                             "{% for a in b %}",
                             "{% endif %}",
                             "{% if x %}{% endfor %}",
                             "{% else %}",
                             "{% %}",
                             "{{ a ? b }}",
                             "{{ 12ab }}",
                             "{% macro %}{% endmacro %}",
                             "{% for a in b %}{% elif c %}{% endfor %}",
                             "{% set x %}",
                             "{{ \x01 }}"}) {
    EXPECT_EQ(code_of(source), "template_syntax") << source;
  }
}

TEST(TemplateCheck, Depth) {
  EXPECT_EQ(code_of("{{ " + repeat("(", 64) + "1" + repeat(")", 64) + " }}"), "");
  EXPECT_EQ(code_of("{{ " + repeat("(", 65) + "1" + repeat(")", 65) + " }}"), "template_depth");
  EXPECT_EQ(code_of("{{ " + repeat("(", 10000) + "1" + repeat(")", 10000) + " }}"), "template_depth");
  EXPECT_EQ(code_of("{{ " + repeat("[", 1000000)), "template_depth");
  EXPECT_EQ(code_of(repeat("{% if x %}", 64) + repeat("{% endif %}", 64)), "");
  EXPECT_EQ(code_of(repeat("{% if x %}", 65) + repeat("{% endif %}", 65)), "template_depth");
}

TEST(TemplateCheck, Budget) {
  for (const char* source :
       {"{{ \"a\"*10**9 }}", "{{ 'a' * n }}", "{{ 9 * 'a' }}", "{{ 2 ** 3 }}",
        "{% for i in range(1000000000) %}{% endfor %}", "{{ range(1_000_000_000) }}", "{{ range(1e9) }}", "{{ 1e999 }}",
        "{{ 0xffffffff }}", "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
        "{% macro f(x) %}{% if x %}{{ 1 + f (x) }}{% endif %}{% endmacro %}",
        "{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ h() }}{% endmacro %}{% macro h() %}{{ f() }}{% "
        "endmacro %}",
        "{% for a in b recursive %}{{ loop(a) }}{% endfor %}"}) {
    EXPECT_EQ(code_of(source), "template_budget") << source;
  }
  EXPECT_EQ(code_of("{% macro f() %}x{% endmacro %}{% macro g() %}{{ f() }}{{ f() }}{% endmacro %}{{ g() }}"), "");
  EXPECT_EQ(code_of(repeat("x", (1 << 20) + 1)), "template_budget");
}

TEST(TemplateCheck, Unsupported) {
  for (const char* source :
       {"{{ \"\".__class__ }}", "{{ x['__class__'] }}", "{{ x|attr(\"__globals__\") }}",
        "{% include \"/etc/passwd\" %}", "{% import 'x' as y %}", "{% from 'x' import y %}", "{% extends 'x' %}",
        "{% block a %}{% endblock %}", "{% call f() %}{% endcall %}", "{% filter upper %}{% endfilter %}",
        "{% raw %}{% endraw %}", "{% do x %}", "{{ lipsum(5) }}", "{% debug %}"}) {
    EXPECT_EQ(code_of(source), "template_unsupported") << source;
  }
}

TEST(TemplateCheck, OrdinaryTemplatesPass) {
  for (const char* source : {"plain } text { % {", "{{ {'a': {'b': 1}} }}", "{{ '%}' }}{{ \"}}\" }}",
                             "{%- set x = 1 -%}", "{% set x %}a{% endset %}", "{{ a[1:-1] | join(', ') ~ 'x' }}",
                             "{% for a in b if a != 2 %}{% continue %}{% else %}{% break %}{% endfor %}",
                             "{% generation %}{{ x }}{% endgeneration %}", "{{ raise_exception('no') }}",
                             "{{ 3.14 * x // 2 % 5 }}", "{{ '____' }}"}) {
    EXPECT_EQ(code_of(source), "") << source;
  }
}

TEST(TemplateCheck, CutAndChangedTemplatesNeverCrash) {
  std::mt19937 rng(4);
  for (const char* name : {"qwen3-vl-instruct.jinja", "qwen3-vl-thinking.jinja", "demo-template.jinja"}) {
    const std::string whole = read_text(text_data() / name);
    for (size_t size = 0; size <= whole.size(); size += 7) code_of(whole.substr(0, size));
    for (int i = 0; i < 2000; ++i) {
      std::string changed = whole;
      for (int j = 0; j < 3; ++j) changed[rng() % changed.size()] = static_cast<char>(rng() % 256);
      code_of(changed);
    }
  }
}

class DetectTemplate : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) { write_text(folder_.path() / name, text); }
  TemplateKind detect() { return detect_template(folder_.path()); }
  TempFolder folder_;
  const std::string thinking_ = read_text(text_data() / "qwen3-vl-thinking.jinja");
  const std::string instruct_ = read_text(text_data() / "qwen3-vl-instruct.jinja");
};

TEST_F(DetectTemplate, WithoutAnyIsInstruct) {
  EXPECT_EQ(detect(), TemplateKind::kInstruct);
  write("tokenizer_config.json", R"({"chat_template": null})");
  EXPECT_EQ(detect(), TemplateKind::kInstruct);
}

TEST_F(DetectTemplate, InAllItsPlaces) {
  write("tokenizer_config.json", dump_json({{"chat_template", thinking_}}));
  EXPECT_EQ(detect(), TemplateKind::kThinking);
  write("chat_template.json", dump_json({{"chat_template", instruct_}}));
  EXPECT_EQ(detect(), TemplateKind::kInstruct);
  write("chat_template.jinja", thinking_);
  EXPECT_EQ(detect(), TemplateKind::kThinking);
}

TEST_F(DetectTemplate, OfAListTheDefault) {
  write("tokenizer_config.json", dump_json({{"chat_template", Json::parse("[]")}}));
  EXPECT_THROW(detect(), Error);
  Json list = Json::array();
  list.push_back({{"name", "rag"}, {"template", instruct_}});
  list.push_back({{"name", "default"}, {"template", thinking_}});
  write("tokenizer_config.json", dump_json({{"chat_template", list}}));
  EXPECT_EQ(detect(), TemplateKind::kThinking);
}

TEST_F(DetectTemplate, BrokenFilesAreRefused) {
  for (const char* json : {"", "{", "[]x", R"({"chat_template": 5})", R"({"chat_template": "{%"})", "\xff"}) {
    write("chat_template.json", json);
    try {
      detect();
      ADD_FAILURE() << json;
    } catch (const Error& e) {
      EXPECT_EQ(e.code, "template_syntax") << json;
    }
  }
}

TEST_F(DetectTemplate, TheReferenceCheckpoints) {
  const auto golden = golden_data();
  if (!golden) GTEST_SKIP() << "no full reference data here";
  EXPECT_EQ(detect_template(*golden / "checkpoints" / "tiny-dense"), TemplateKind::kInstruct);
  EXPECT_EQ(detect_template(*golden / "checkpoints" / "tiny-moe"), TemplateKind::kThinking);
  EXPECT_EQ(detect_template(*golden / "checkpoints" / "tiny-untied"), TemplateKind::kInstruct);
}

}  // namespace
}  // namespace qvl::test
