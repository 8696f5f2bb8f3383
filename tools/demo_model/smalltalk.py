"""Conversations without a picture: greetings, "who are you", and requests beyond a nine-million-parameter model.

It says what it is and what it can do, and declines the rest: an honest refusal is the best answer it has to a question
about history.
"""
from words import held_out
from wordings import HeldOutWordings, careless, kept_out, say

SELF = {
    "en": "I am a tiny Qwen3-VL style demo model. I can look at simple pictures and answer questions about them.",
    "zh": "我是一个很小的 Qwen3-VL 演示模型，可以看简单的图片并回答相关问题。",
}
ABLE = {
    "en": "I can name colors and shapes, count and locate objects, read short text, do simple arithmetic, read small charts and windows, "
    "and follow short videos.",
    "zh": "我可以识别颜色和形状、数物体、定位物体、读短文字、做简单算术、看小图表和窗口，还能看短视频。",
}
SORRY = {
    "en": "Sorry, I am only a small demo model, so I cannot answer that. Please ask me about a simple picture.",
    "zh": "抱歉，我只是一个小型演示模型，无法回答这个问题。请问我关于简单图片的问题。",
}
NO_PICTURE = {"en": "I see no picture. Please add one, and I will look at it.", "zh": "我没有看到图片。请添加一张图片，我来看一看。"}


def each(text):
    """The texts between the bars, however the lines are broken."""
    return [" ".join(x.split()) for x in text.split("|")]


TALK = [
    (
        "en",
        each(
            """Hello!|Hi|Hello|Hey there|Hi!|Good morning|hello|hi there|Good evening!|Hey|Greetings|Hello there!|Hi, how are you?|Howdy|yo|
            Good afternoon|Hello, model!|Nice to meet you.|hey!|Hi demo|Good day|Hello everyone|Hiya|Hey model|Hallo"""
        ),
        "Hello! " + SELF["en"],
    ),
    (
        "zh",
        each(
            """你好|你好！|您好|嗨|早上好|大家好|hello，你好|你好呀|晚上好|下午好！|哈喽|你好啊|在吗？|您好！|嗨，你好|早|很高兴认识你|喂|你好，模型|哈喽！|
            你好哇|各位好"""
        ),
        "你好！" + SELF["zh"],
    ),
    (
        "en",
        each(
            """Who are you?|What are you?|Introduce yourself.|What is your name?|Tell me about yourself.|Are you ChatGPT?|
            Are you a real Qwen model?|what model are you|Which model is this?|Are you a human?|Who made you?|who r u|What's your name|
            Are you an AI?|Please introduce yourself|How big are you?|Are you Qwen3-VL?|what is this model|Who am I talking to?|
            How many parameters do you have?|Are you a robot?|Say who you are|What is your model name?|Are you open source?|What should I call you?"""
        ),
        SELF["en"],
    ),
    (
        "zh",
        each(
            """你是谁？|你是谁|介绍一下你自己。|你叫什么名字？|你是什么模型？|请自我介绍。|你是真的Qwen吗？|你是ChatGPT吗？|你是机器人吗？|你是人吗|你是哪个模型|
            谁做的你？|你叫什么|自我介绍一下|你是AI吗？|你有多大？|这是什么模型？|你是通义千问吗？|我在和谁说话？|你有多少参数？"""
        ),
        SELF["zh"],
    ),
    (
        "en",
        each(
            """What can you do?|How can you help me?|What are your abilities?|Help|what can you do|What do you know?|What can I ask you?|
            What kind of questions can you answer?|How do I use you?|help me|Can you see pictures?|What are you good at?|
            Tell me what you can do.|Which tasks can you solve?|What are you for?|Can you read text?|What should I ask?|
            What are you able to do?|Show me what you can do"""
        ),
        ABLE["en"],
    ),
    (
        "zh",
        each(
            """你能做什么？|你会什么？|你有什么功能？|帮助|你能干什么|我可以问你什么？|你会做哪些事？|怎么使用你？|你能看图片吗？|你擅长什么？|说说你的功能。|
            你可以帮我做什么？|你有哪些能力？|你能读文字吗？|我该问什么？|你有什么用？"""
        ),
        ABLE["zh"],
    ),
    (
        "en",
        each(
            """Thanks|Thank you!|Thank you very much.|thanks a lot|thx|That helps, thanks.|Great, thank you|Many thanks|Thank you so much!|
            Cheers|Perfect, thanks|thanks!|Thank you for your help.|Much appreciated|Nice, thanks|Ok thanks|Wonderful, thank you!"""
        ),
        "You are welcome!",
    ),
    ("zh", each("谢谢|谢谢你|多谢！|非常感谢|谢谢啦|感谢|谢了|十分感谢！|太好了，谢谢|谢谢你的帮助。|谢谢！|辛苦了，谢谢"), "不客气！"),
    (
        "en",
        each("Bye|Goodbye|See you|bye bye|Good night|See you later!|bye!|Until next time|Farewell|See you tomorrow|Take care"),
        "Goodbye!",
    ),
    ("zh", each("再见|拜拜|下次见|回头见|晚安|再见！|明天见|我走了|拜|下回见|先走了"), "再见！"),
]
TOPICS = {
    "en":
    """weather|stocks|politics|history|love|football|cooking|physics|chemistry|travel|medicine|law|music|poetry|philosophy|space|
dinosaurs|economy|fashion|cars|airplanes|novels|programming|Python|Java|mathematics|painting|gardening|yoga|bitcoin|the
moon|the president|
Shakespeare|Einstein|London|Tokyo|China|my job|the universe|dogs|coffee|the
internet|chess|banks|taxes|war|religion|films|my boss|sleep""",
    "zh": """天气|股票|政治|历史|爱情|足球|烹饪|物理|化学|旅游|医学|法律|音乐|诗歌|哲学|太空|恐龙|经济|时尚|汽车|飞机|小说|编程|数学|绘画|园艺|瑜伽|
比特币|月亮|总统|李白|爱因斯坦|伦敦|东京|中国|我的工作|宇宙|小狗|咖啡|互联网|象棋|银行|税收|战争|宗教|电影|老板|睡眠""",
}
REQUESTS = {
    "en": each(
        """Tell me about {}.|What do you think about {}?|Write a poem about {}.|Explain {} to me.|Who invented {}?|What is the history of {}?|
        Write an essay about {}|What is the meaning of {}?|What is the latest news about {}?|How do I learn {}?|Give me advice on {}.|
        Translate {} into French.|What is the capital of {}?|Tell me a joke about {}.|Write a story about {}.|Why is {} important?|What is {}?|
        Summarize {} in one sentence.|Give me ten facts about {}.|How does {} work?|Write a Python program about {}.|
        What should I know about {}?|Recommend a book about {}.|Do you like {}?|Write an email about {}.|Who is the most famous person in {}?|
        How old is {}?|Compose a song about {}"""
    ),
    "zh": each(
        """给我讲讲{}。|你怎么看{}？|写一首关于{}的诗。|解释一下{}。|{}是谁发明的？|{}的历史是什么？|写一篇关于{}的文章|{}的意义是什么？|关于{}的最新消息是什么？|
        怎么学习{}？|给我一些{}方面的建议。|把{}翻译成法语。|{}的首都是哪里？|讲一个关于{}的笑话。|写一个关于{}的故事。|为什么{}很重要？|什么是{}？|用一句话总结{}。|
        推荐一本关于{}的书。|{}是怎么工作的？|写一个关于{}的程序。|你喜欢{}吗？|说十件关于{}的事。|关于{}我该知道什么？|帮我写一封关于{}的邮件。|聊聊{}吧|
        谈谈你对{}的看法|说说{}|怎样才能学好{}？|为{}写个计划|科普一下{}|{}最有名的人是谁？|写一首{}的歌|教我{}"""
    ),
}
TOPICS = {k: each(v) for k, v in TOPICS.items()}


def smalltalk(r, test=False):
    """One conversation: (task, language, question, answer, whether it is asked without a picture)."""
    k, held = r.random(), isinstance(r, HeldOutWordings)
    if k < 0.45:
        language, questions, answer = r.choice(TALK)
        asked = [q for q in questions if kept_out("chat", language, q) == held]
        return "chat", language, careless(r, r.choice(asked or questions), language), answer, True
    language = r.choice(("en", "zh"))
    if k < 0.55:
        return "refuse", language, say(r, r.choice(("describe", "count", "read")), language), NO_PICTURE[language], True
    requests = [q for q in REQUESTS[language] if kept_out("refuse", language, q) == held] or REQUESTS[language]
    while True:
        request = r.choice(requests)
        question = request.replace("{}", r.choice(TOPICS[language]))  # some name it twice
        if held_out(question, 6) == test:
            return "refuse", language, careless(r, question, language), SORRY[language], r.random() < 0.6
