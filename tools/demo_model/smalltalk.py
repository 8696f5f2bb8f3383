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


def lines(text):
    return [x.strip() for x in text.strip().splitlines()]


TALK = [
    (
        "en",
        lines(
            """Hello!\nHi\nHello\nHey there\nHi!\nGood morning\nhello\nhi there\nGood evening!\nHey\nGreetings\nHello
            there!
        Hi, how are you?\nHowdy\nyo\nGood afternoon\nHello, model!\nNice to meet you.\nhey!\nHi demo"""
        ),
        "Hello! " + SELF["en"],
    ),
    (
        "zh",
        lines(
            """你好\n你好！\n您好\n嗨\n早上好\n大家好\nhello，你好\n你好呀\n晚上好\n下午好！\n哈喽\n你好啊\n在吗？\n您好！\n嗨，你好\n早
        很高兴认识你\n喂\n你好，模型\n哈喽！"""
        ),
        "你好！" + SELF["zh"],
    ),
    (
        "en",
        lines(
            """Who are you?\nWhat are you?\nIntroduce yourself.\nWhat is your name?\nTell me about yourself.\nAre you
            ChatGPT?
        Are you a real Qwen model?\nwhat model are you\nWhich model is this?\nAre you a human?\nWho made you?\nwho r
        u\nWhat's your name Are you an AI?\nPlease introduce yourself\nHow big are you?\nAre you Qwen3-VL?\nwhat is this
        model\nWho am I talking to?
        How many parameters do you have?"""
        ),
        SELF["en"],
    ),
    (
        "zh",
        lines(
            """你是谁？\n你是谁\n介绍一下你自己。\n你叫什么名字？\n你是什么模型？\n请自我介绍。\n你是真的Qwen吗？\n你是ChatGPT吗？\n你是机器人吗？
        你是人吗\n你是哪个模型\n谁做的你？\n你叫什么\n自我介绍一下\n你是AI吗？\n你有多大？\n这是什么模型？\n你是通义千问吗？\n我在和谁说话？
        你有多少参数？"""
        ),
        SELF["zh"],
    ),
    (
        "en",
        lines(
            """What can you do?\nHow can you help me?\nWhat are your abilities?\nHelp\nwhat can you do\nWhat do you
            know?
        What can I ask you?\nWhat kind of questions can you answer?\nHow do I use you?\nhelp me\nCan you see
        pictures?\nWhat are you good at?
        Tell me what you can do.\nWhich tasks can you solve?\nWhat are you for?\nCan you read text?\nWhat should I
        ask?"""
        ),
        ABLE["en"],
    ),
    (
        "zh",
        lines(
            """你能做什么？\n你会什么？\n你有什么功能？\n帮助\n你能干什么\n我可以问你什么？\n你会做哪些事？\n怎么使用你？\n你能看图片吗？
        你擅长什么？\n说说你的功能。\n你可以帮我做什么？\n你有哪些能力？\n你能读文字吗？\n我该问什么？\n你有什么用？"""
        ),
        ABLE["zh"],
    ),
    (
        "en",
        lines(
            """Thanks\nThank you!\nThank you very much.\nthanks a lot\nthx\nThat helps, thanks.\nGreat, thank you\nMany
            thanks
        Thank you so much!\nCheers\nPerfect, thanks\nthanks!\nThank you for your help."""
        ),
        "You are welcome!",
    ),
    ("zh", lines("""谢谢\n谢谢你\n多谢！\n非常感谢\n谢谢啦\n感谢\n谢了\n十分感谢！\n太好了，谢谢\n谢谢你的帮助。\n谢谢！"""), "不客气！"),
    (
        "en",
        lines(
            "Bye\nGoodbye\nSee you\nbye bye\nGood night\nSee you later!\nbye!\nUntil next time\nFarewell\nSee you tomorrow"
        ),
        "Goodbye!",
    ),
    ("zh", lines("再见\n拜拜\n下次见\n回头见\n晚安\n再见！\n明天见\n我走了\n拜\n下回见"), "再见！"),
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
    "en": lines(
        """Tell me about {}.\nWhat do you think about {}?\nWrite a poem about {}.\nExplain {} to me.\nWho invented {}?
    What is the history of {}?\nWrite an essay about {}\nWhat is the meaning of {}?\nWhat is the latest news about
    {}?\nHow do I learn {}? Give me advice on {}.\nTranslate {} into French.\nWhat is the capital of {}?\nTell me a joke
    about {}.\nWrite a story about {}. Why is {} important?\nWhat is {}?\nSummarize {} in one sentence.\nGive me ten
    facts about {}.\nHow does {} work?
    Write a Python program about {}.\nWhat should I know about {}?\nRecommend a book about {}.\nDo you like {}?\nWrite
    an email about {}."""
    ),
    "zh": lines(
        """给我讲讲{}。\n你怎么看{}？\n写一首关于{}的诗。\n解释一下{}。\n{}是谁发明的？\n{}的历史是什么？\n写一篇关于{}的文章
    {}的意义是什么？\n关于{}的最新消息是什么？\n怎么学习{}？\n给我一些{}方面的建议。\n把{}翻译成法语。\n{}的首都是哪里？\n讲一个关于{}的笑话。
    写一个关于{}的故事。\n为什么{}很重要？\n什么是{}？\n用一句话总结{}。\n推荐一本关于{}的书。\n{}是怎么工作的？\n写一个关于{}的程序。
    你喜欢{}吗？\n说十件关于{}的事。\n关于{}我该知道什么？\n帮我写一封关于{}的邮件。"""
    ),
}
TOPICS = {k: [t.strip() for t in v.replace("\n", "").split("|")] for k, v in TOPICS.items()}


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
