"""Wordings composed from parts: hundreds for every task and language. See wordings.py for the signs.

The plain lines of the other files are how one careful person asks; these are how many hasty ones do: "how many things do
you see", "where do i click to save", "sum?", "read it", "这是啥".
"""
import wordings_more  # noqa: F401  (the plain lines)
import wordings_reading  # noqa: F401
from wordings import more, task

more(
    "colour",
    """[what|which|what's the|whats the] colo[u|]r is [the|that|this] {thing} <in>?
[color|colour] of [the|that|this|] {thing} <in>?
[can you|could you|would you] [tell me|say|name|see] [the colour of|what color] [the|that] {thing}?
[what|which] colo[u|]r did they [paint|draw|give|make] the {thing}?
{thing} [color|colour][?|]
[I'd like to know|I want to know|I need] the [color|colour] of the {thing}
[is|are] you able to [see|tell] [what|which] color the {thing} is?
the {thing}, [what|which] color?
[name|tell|give|identify|say] the {thing} [color|colour]
what is the {thing}'s [color|colour] <in>?""",
    """<图>[那个|这个|]{thing}[是|][什么|啥|哪种|哪个|什麼][颜色|色][的|][呢|啊|]？
{thing}[的颜色|颜色|的色][是什么|是啥|是哪种|呢|]？
[看看|说说|告诉我|说一下|帮我看看|认一下]<图>{thing}[的颜色|是什么颜色|什么颜色|啥颜色]
[能|可以|能不能]<看><图>{thing}[是什么颜色|的颜色|啥颜色][吗|]？
{thing}[画|涂|做|弄]成了[什么|啥|哪种]颜色？
我想知道<图>{thing}[是什么颜色|的颜色]""",
)
more(
    "shape",
    """[what|which|what kind of] [shape|figure|form] is [the|that|this] {colour} [one|thing|object|figure|item|] <in>?
what is [the|that|this] {colour} [one|thing|object|shape|figure|item] [called|] <in>?
what's [the|that|this] {colour} [thing|one|shape|object] <in>?
[shape|form] of the {colour} [one|thing|object|figure]?
[the|that|this] {colour} [one|thing|object|shape], what [is it|shape is it|do you call it]?
[tell me|say|name|identify|find] [what|which shape] the {colour} [one|thing|object] is
{colour} [shape|object|thing|one]?
[can you|could you] [tell me|name|see] [what|which shape] is {colour}?""",
    """<图>[那个|这个|]{colour}的[东西|图形|物体|那个|形状|图案|][是什么|是啥|叫什么|是什么形状|是啥形状|是哪种图形]？
{colour}[是什么|是啥|的是啥|的叫啥|那个是什么]？
[看看|说说|告诉我|帮我看看|认一下]{colour}的[是什么|是什么形状|是啥|那个是啥]
<图>[什么|哪个|啥][形状|图形|东西]是{colour}的？
[能|可以]<看>{colour}的[是什么形状|是什么|是啥][吗|]？""",
)
more(
    "count",
    """how many [things|objects|shapes|figures|items|pieces|forms] [are there|do you see|can you see|are in it|is it|do you count|] <in>?
[count|count up|add up] [the|all the|all|these|those] [things|objects|shapes|figures|items] <in>
[number|count|total] of [things|objects|shapes|figures|items] <in>?
how many [of them|in total|are there in total|altogether|are there] <in>?
[can you|could you|would you] [count|tell me how many are] [the|all the] [things|objects|shapes|items]?
[what's|whats|what is] the [total|count|number of things|number of shapes|number of objects] <in>?
I [see|count] some [shapes|things|objects], how many [are there|exactly|is it]?
how many [things|shapes|objects] did they draw <in>?
[tell me|say] how many [things|objects|shapes] [there are|you see|you can see] <in>""",
    """<图>[有|一共有|总共有|共有|一共][几|多少]个[东西|物体|图形|形状|图案|物件|][呢|啊|]？
[数数|数一数|数一下|帮我数数|请数一下|给我数数]<图>[有|一共有|][几|多少]个[东西|物体|图形|]
<图>[东西|物体|图形|形状][有几个|有多少个|一共几个|的个数|的数量|几个]？
[你|][看到|能看到|看见|能看见][几|多少]个[东西|物体|图形|形状]？
[总数|总共|合计|一共][是多少|多少|几个|多少个]？""",
)
more(
    "count_attr",
    """how many {things} [are there|do you see|can you see|did they draw|are in it|do we have|] <in>?
[count|count up|find] [the|all the|all|] {things} <in>
[number|count|amount] of {things} <in>?
{things}, how many [are there|do you see|] <in>?
[can you|could you|would you] [count|tell me the number of|find] [the|all the|all] {things}?
[tell me|say|I want to know] how many {things} [there are|you see|you can find] <in>
[what's|whats|what is] the [number|count] of {things} <in>?
{things}[?| - how many?| count?]
do you see any {things}, [and|] how many?""",
    """<图>[有|一共有|总共有|共有][几|多少]个{things}[呢|啊|]？
[数数|数一数|数一下|帮我数数|给我数数]<图>[有几个|有多少|][|]{things}
<图>{things}[有几个|有多少个|一共几个|的个数|的数量|几个|多少个]？
[你|][看到|能看到|看见]了[几|多少]个{things}？
{things}[的总数|总共|合计][是多少|多少|几个]？""",
)
more(
    "exist",
    """[is|isn't] there [a|any|one] {thing} [there|somewhere|anywhere|] <in>?
[do|can] you [see|find|spot|notice] [a|any] {thing} <in>?
[any|a] {thing} [there|around|somewhere|here]?
[does|did] [it|the picture|the image|this] [have|show|contain|include] a {thing}?
[tell me|say|check|see] [if|whether] [there is|there's|you see] a {thing} <in>
[I'm looking for|I need to find|looking for] a {thing}, is [there one|it there|one there]?
{thing}, [yes or no|is it there|there or not]?
was a {thing} [drawn|painted|put] <in>?""",
    """<图>[有没有|有无|是否有|是不是有|有不有]{thing}[呢|啊|]？
<图>有{thing}[吗|没有|么|没][？|?]
[看看|查一下|帮我看看|找找|帮忙看下]<图>有没有{thing}
[你|][能|可以|]看到{thing}[吗|么|没]？
{thing}[有吗|有没有|在吗|在图里吗|存在吗]？
我想找{thing}，[有吗|有没有|在不在]？""",
)
more(
    "where",
    """where [is|do you see|can I see|can I find|would I find|is that] [the|that|this] {thing} <in>?
where's [the|that] {thing} <in>?
[in|at] [what|which] [part|place|area|corner|region|spot] [of the picture|of the image|] is the {thing}?
[position|location|place] of the {thing} <in>?
[tell|show] me where [the|that] {thing} is <in>
[can you|could you] [find|tell me where to find|say where is] the {thing}?
[find|look for|search for] the {thing}, where is it?
[whats|what's|what is] the [position|location|place] of the {thing}?
the {thing} - where?
{thing} where?""",
    """[那个|这个|]{thing}[在哪里|在哪儿|在哪|在啥地方|在什么地方|在什么位置|的位置在哪]？
<图>{thing}[在|位于|处于]<哪>？
[告诉我|说说|看看|帮我看看|找找|帮我找]{thing}在[哪里|哪儿|哪|什么位置]
{thing}[画在|放在][哪里|哪儿|图的哪里|什么地方]？
{thing}的[位置|地方|方位][是|在][哪里|哪儿|哪]？""",
)
more(
    "relation",
    """where is [the|that] {a} [relative to|compared to|with respect to|as seen from|in relation to|from] [the|that] {b}?
[which|what] side of [the|that] {b} is [the|that] {a} [on|]?
is [the|that] {a} left, right, above or below [the|that|of the] {b}?
[what|which] direction is the {a} from the {b}?
how [is|does] the {a} [placed|positioned|located|lie] relative to the {b}?
[tell me|say|describe] where the {a} is [relative to|compared to|from] the {b}
[position|location] of the {a} relative to the {b}?
from the {b}, [where|which way] is the {a}?
[starting|looking|going] from the {b}, [where is|where do I find|on which side is] the {a}?
[the|] {a} and [the|] {b}: [which side|what direction|where is the first|how do they lie]?
[on|to] [which|what] side of the {b} [is|do you see|can I find|lies] the {a} <in>?""",
    """{a}在{b}的[哪边|哪里|哪儿|哪个方向|什么方向|什么方位|哪一侧|哪一边|什么位置|啥位置][呢|]？
[从|以|跟|和|与]{b}[看|比|相比|为准]，{a}在[哪边|哪里|哪个方向|什么位置]？
{a}[相对|相对于|比起|对于]{b}[在|是在][哪里|哪边|哪个方向|什么位置]？
[告诉我|说说|看看|帮我看看]{a}在{b}的[哪边|哪里|哪个方向]
{b}的[哪边|哪个方向|哪一侧]是{a}？""",
)
more(
    "relation_check",
    """is [the|that] {a} {side} [the|that] {b}?
[isn't|is] the {a} [really|actually|] {side} the {b}?
[do you think|would you say|can you see that|am I right that|is it right that|is it so that] the {a} is {side} the {b}?
[check|tell me|say] [if|whether] the {a} is {side} the {b}
the {a} is {side} the {b}, [right|isn't it|yes or no|true or false|correct]?
I [think|guess|believe|would say] the {a} is {side} the {b}, [am I right|is that right|is that so|correct]?
[the|] {a} {side} [the|] {b}[?| - yes or no?| - is that true?]
[do|can] you see [the|a] {a} {side} [the|a] {b} <in>?
is it [the|] {a} that is {side} the {b} <in>?""",
    """{a}[在|是在|位于]{b}的{side}[吗|么|，对吗|，是吗|，对不对|，是不是][？|?]
{a}[是不是|是否|有没有][在|位于]{b}[的|]{side}？
[看看|帮我看看|判断|确认一下|告诉我]{a}是[不是|否]在{b}的{side}
[我觉得|我认为|应该是|我猜]{a}[在|是在|位于]{b}[的|]{side}，[对吗|是吗|对不对|没错吧]？
<图>{a}[在|是在]{b}[的|]{side}[吗|么][？|?]
{b}[的|]{side}[是|是不是]{a}[吗|]？""",
)
more(
    "extreme",
    """[what|which] [thing|object|shape|figure|one|] is [the|] {end} [one|] <in>?
[what's|whats|what is] [the|] {end} [thing|object|shape|figure|one] <in>?
[name|tell me|find|say|identify] the {end} [thing|object|shape|figure|one] <in>
[the|] {end} [thing|object|shape|figure|one]?
[can you|could you] [name|tell me|see] the {end} [thing|object|shape|one]?
what do [you|we|I] [see|have|find] {end}?
which of [them|the shapes|the objects|these] is [the|] {end} [one|]?""",
    """<图>[哪个|什么|啥][东西|图形|物体|]在{end}？
{end}[的|那个|的那个|][是什么|是啥|是哪个|是哪一个|叫什么][东西|图形|呢|]？
[看看|说说|告诉我|帮我看看|找出]{end}[的东西|的图形|的是什么|是什么|是啥]
{end}[有|放着|画着][什么|啥]？""",
)
more(
    "describe",
    """what [is|do you see|can you see|have we got|is there|do we have|do you notice] <in>?
[what's|whats] [this|that|here|in here|there|on it|going on here|in this picture|in it]?
[describe|explain|caption|summarize|summarise] [it|this|that|the image|the picture|this picture|what you see|everything] [for me|briefly|shortly|]
[tell me|say] [what|everything] you [see|can see|notice|find] <in>
[what|which] [things|objects|shapes|items] [are there|do you see|can you see|are in it] <in>?
[describe|name|list|tell me] [all|all the|the] [things|objects|shapes] <in>
[give me|write|I need] [a|a short|a brief|one] [description|caption|summary] [of this|of the picture|of it|]
[can you|could you] [describe|see|tell me about|explain] [this|it|the picture|the image]?
look at [this|the picture] and [describe it|tell me what you see|say what it is]""",
    """[这|这个|这张图|图里|图上|图中|图片里|][是什么|是啥|有什么|有啥|都有啥|画了什么|画的啥|画的是什么]？
[看看|说说|讲讲|描述|描述一下|介绍一下|解释一下|概括一下][图片|这张图|图|这个图|图里有什么|图中内容|你看到的]
[你|][看到|能看到|看见|看出][了|][什么|啥|哪些东西|些什么]？
[帮我|请|给我][描述|说明|看看|讲讲|介绍][一下|下|][这张图|这个|图片|这幅画]
[图|图片|画面|照片][里|中|上][有哪些|都有什么|是什么][东西|图形|物体|]？""",
)
more(
    "ground",
    """[locate|find|detect|ground|box|mark|outline] the {thing} [and give|, give|and return|with|as|, output] [a box|its box|the bbox|bbox_2d|json|its coordinates|the bounding box]
[bbox|bounding box|box|coordinates|bbox_2d] [of|for|around] the {thing} [in json|please|as json|]?
[give|show|tell|send] me the [bbox|box|bounding box|coordinates] [of|for|around] the {thing} [in json|]
[where exactly is|what are the coordinates of|what is the box of] the {thing}? [json|bbox|box] please
[put|draw|make] a [box|rectangle|frame] around the {thing}
[detect|locate|find] {thing}
[can you|could you] [locate|box|mark|find] the {thing} with [a box|coordinates|a bbox]?""",
    """[定位|检测|框出|框选|标出|圈出|找出]<图>{thing}[，输出JSON|，给出坐标|，返回边界框|的位置，用JSON|并输出bbox|]
{thing}的[边界框|坐标|bbox|检测框|框][是多少|是什么|给我|呢|]？
[给我|返回|输出|请给出]{thing}的[边界框|坐标|bbox|位置坐标|框]
[把|请把|帮我把]<图>{thing}[框出来|框起来|圈出来|标出来]""",
)
more(
    "read",
    """[what|whats] [does|does] [it|this|that|the text|the sign|the picture|the image|the label|the note] say?
[read|transcribe|ocr|type|copy|extract|write down] [it|this|that|the text|this text|what it says|what is written|everything|this for me|all of it] [for me|please|out loud|]
[what's|whats|what is] [written|the text|printed|it saying|standing] [here|there|on it|on this|in the picture|in the image|]?
[can|could|would] you [read|transcribe|type out|make out] [it|this|that|the text|what it says|this for me]?
[I can't read|help me read|please read|I need] [this|it|the text]
[which|what] [text|word|words|letters] [is|are|do you see] [there|here|written|shown|<in>]?
text?
[the text|text in the image|text in the picture|the words], please""",
    """[这|上面|图上|图里|图中|图片上|这上面|牌子上|这里|][写|写的|写了|写着][的|][什么|啥|什么字|啥字|什么内容]？
[读|念|读一下|念一下|读读|认一下|识别|抄写|提取][图中的|图上的|这段|这些|上面的|][字|文字|文本|内容]
[帮我|请|给我|麻烦][读|念|读一下|识别|看看写了什么|念一下][这个|图上的字|文字|上面的字|]
[这|图里|图上][是|][什么字|啥字|哪几个字|什么文字|什么词]？
[文字|字|内容|文本]是[什么|啥]？""",
)
more(
    "number",
    """[what|whats|what's] [the|this|that] number [here|is this|is it|is that|there|on it|in the picture|in the image|say|]?
[what|which] number [is|do you see|can you see|is written|is shown|is printed] [here|there|this|that|<in>]?
[read|tell me|say|type|give me|write down] [the|this|that] [number|digits|figure|numbers] [for me|please|here|<in>]
[number|digits|the number]?
[can|could] you [read|see|tell me|make out] [the|this|that] [number|digits]?
what [are|do] the [digits|numbers] [say|here|shown|in the picture|]?""",
    """[这|图里|图上|图中|图片里|上面|][是|的|写的|][什么|啥|哪个|几|多少][数字|数|号码|]？
[这个|图上的|图里的|][数|数字|号码|数值][是多少|是几|是啥|是什么|多少]？
[读|念|读一下|认一下|告诉我|说说|看看][图中的|图上的|这个|][数字|数|号码]
[帮我|请|给我][读|念|看看|认]一下[数字|这个数|是多少|图上的数]""",
)
more(
    "line",
    """[what|whats|what's] [is|] [on|in] the {en} line?
[read|give me|tell me|show me|transcribe|type] [only|just|] [the {en} line|line {n}|line number {n}|row {n}] [please|for me|]
[the {en} line|line {n}|row {n}]?
what does [the {en} line|line {n}|the {en} row] say?
[can|could] you read [the {en} line|line {n}] [only|for me|]?""",
    """第[{zh}|{n}]行[是什么|是啥|写了什么|写的啥|写着什么|的内容|的文字|]？
[读|念|只读|看看|告诉我|给我]第[{zh}|{n}]行[的字|的内容|写了什么|]
<图>第[{zh}|{n}]行[是|写的是][什么|啥]？""",
)
more(
    "lines",
    """how many [lines|lines of text|rows|rows of text|text lines] [are there|do you see|does it have|is it|are written|] <in>?
[count|number of] [the|] [lines|rows|text lines|lines of text] <in>
[can|could] you count the [lines|rows|lines of text]?
[what's|whats|what is] the number of [lines|rows] <in>?
[tell me|say] how many [lines|rows|lines of text] [there are|it has|you see]""",
    """<图>[有|一共有|总共有|共][几|多少]行[字|文字|]？
[数数|数一数|数一下|帮我数数]<图>[有几行|有多少行|几行][字|]
[文字|字][有|写了|分成]几行？
[行数|几行][是多少|呢|]？""",
)
more(
    "characters",
    """how many [letters|characters|signs|symbols|letters or digits] [are there|do you see|does it have|is it|are written|has it|] <in>?
[count|number of] [the|] [letters|characters|symbols] <in>
[can|could] you count the [letters|characters|symbols]?
how long is [it|the word|the text|the string]?
[tell me|say] how many [letters|characters] [there are|it has|you see]
[what's|whats|what is] the [length|number of letters|number of characters]?""",
    """<图>[有|一共有|总共有|共][几|多少]个[字符|字|字母|符号]？
[数数|数一数|数一下|帮我数数]<图>[有几个|有多少个|多少个][字符|字|字母]
[文字|这个词|这串字|字符串]有多长？
[字符|字|字母][有几个|有多少个|的个数|数是多少]？""",
)
more(
    "text_colour",
    """[what|which] colo[u|]r [is|has] the [text|writing|word|font|lettering] <in>?
[what|which] colo[u|]r are the [letters|characters|words|digits] <in>?
[color|colour] of the [text|writing|letters|font|words] <in>?
[text|font|letter] [color|colour]?
in [what|which] colo[u|]r [is it|is this|was it|is the text] [written|printed]?
[tell me|name|say] the [color|colour] of the [text|writing|letters|font]
what colo[u|]r did they [write|print] [it|this|the text] in?""",
    """<图>[文字|字|字体|字母|文本][是|用的是|用了][什么|啥|哪种][颜色|色][的|]？
[文字|字|字体]的颜色[是什么|是啥|呢|]？
[看看|说说|告诉我|帮我看看][文字|字|字体][是什么颜色|的颜色]
[是|][用|拿][什么|啥|哪种]颜色写的？""",
)
more(
    "sum",
    """[solve|calculate|compute|evaluate|do|work out|answer|figure out] [this|it|that|the sum|this sum|the problem|the math|the calculation|this for me|the expression] [please|for me|quickly|]
[what's|whats|what is] [the|] [result|answer|solution|total|sum|outcome] [here|of this|of it|of the calculation|please|]?
how much is [it|this|that|that together]?
[sum|result|answer|solution|total]?
[what does|what does] [it|this|that] [make|come to|equal|add up to|give]?
[can|could] you [solve|calculate|work out|do|compute] [this|it|that|the sum|the problem]?
[help me|please help] [solve|calculate|with] [this|it|the sum]
[what|how much] do I get?
[equals|=] [what|how much|?]
do [the|this|my] [math|maths|homework|sum]""",
    """[这|这个|这道题|图里的题|这题|算式|][等于|是][多少|几|啥]？
[算|计算|求|解|算算|算一下|计算一下][这个|这题|这道题|图中的算式|结果|]
[帮我|请|给我|麻烦][算|算一下|算算|计算|解][这个|这道题|这题|]
[结果|答案|得数|得][是多少|是几|是啥|多少|几|呢]？
[这题|这道题|这个][怎么做|怎么算|得几|得多少|答案是什么]？""",
)
more(
    "expression",
    """[what|which] [expression|calculation|sum|problem|formula|equation] [is it|is this|is shown|is written|do you see|is there] <in>?
[read|copy|transcribe|write down|type] the [expression|calculation|sum|problem|formula|task] [without solving it|only|please|]
[read|tell me] [it|the sum|the problem] [but don't solve it|without the answer|, no answer]
[what's|whats|what is] the [expression|calculation|problem|formula|task] [here|<in>]?""",
    """<图>[写的|][是|][什么|哪个|啥][算式|式子|题目|公式]？
[读|念|抄|写出|抄写|读一下]<图>[的|][算式|式子|题目][，不用算|，别算|]
[题目|算式|式子][是什么|是啥|写的什么|写了什么]？""",
)
more(
    "chart_extreme",
    """[which|what] [{bar}|one|category|item|entry|label] [is|has] [the|] [{en}|{size}] [one|value|number|] <chart>?
[what's|whats|what is] the [{en}|{size}] [{bar}|one|value|entry|category] <chart>?
[{en}|{size}] [{bar}|value|one]?
[name|find|tell me|show me|give me] the [{en}|{size}] [{bar}|one|value|entry|category] <chart>
[who|what] [has|got] the [{size}|{en}] [value|number|{bar}|score]?
[can|could] you [tell me|see|say] [which|what] is the [{size}|{en}]?
[which|what] is [{size}|{en}]?""",
    """<表>[哪个|哪一个|什么|哪项|哪一项|谁][{bar}|的值|的数值|的数|]最[{zh}|{big}]？
最[{zh}|{big}]的[{bar}|值|数值|一项|那个|][是哪个|是什么|是啥|是哪一项|是多少，是哪个|是谁]？
[找出|告诉我|看看|说说|帮我看看]<表>最[{zh}|{big}]的[{bar}|一项|值|是哪个|]
[数值|值|数据]最[{big}|{zh}]的[是哪个|是谁|是哪一项|呢]？""",
)
more(
    "chart_value",
    """[what|whats|what's] [is|] the [value|number|amount|height|size|figure] [of|for|at] {name} <chart>?
how [much|high|big|tall|large] is {name} <chart>?
{name}[?| how much?| value?|: how much?| =]
[what|which] [value|number|amount] does {name} [have|show|reach|get]?
[read|tell me|give me|look up|find|say] [the value of|the number for|] {name} <chart>
[can|could] you [read|tell me|see] [the value of|the number for|how much is] {name}?
[and|so|now] how much [is|for] {name}?""",
    """<表>{name}[是|有|为|的值是|的数值是|的数据是|达到][多少|几]？
{name}[多少|几|的数|的值|的数值|的数据|呢][？|]
[读|看看|告诉我|说说|查一下|帮我看看|找到]<表>{name}的[值|数值|数据|数|数字]
{name}[那根|那个|那项|这一项|]的[值|数值|高度][是多少|是几]？""",
)
more(
    "chart_list",
    """[list|read|give me|show|tell me|write down|extract|print] [all|all the|the|every|all of the] [values|numbers|data|data points|labels and values] <chart>
[what|which] [values|numbers|data] [are there|does it show|do you see|are shown|are in it] <chart>?
[read|transcribe|convert|turn] [the|this|the whole|this whole] [chart|graph|plot|diagram] [to text|into a list|into data|please|for me|]
[chart|graph] to [list|data|text|numbers]
[can|could] you [list|read|extract] [the values|all values|the data|the numbers]?
[the values|all numbers|the data], please""",
    """[列出|读出|给我|写出|提取|说出|列一下][图表的|图表里的|图中的|图里|][所有|全部|每个|每一项的][数值|数据|值|数字]
[图表|图|这张图|这个图表][里|中|][有哪些|都有哪些|的][数据|数值|值][是什么|分别是多少|都是多少|]？
[每个|每一项|各项|各个|每根][的值|的数值|][是多少|分别是多少|都是多少|是几]？
[把|请把][图表|这张图|图][转成|变成|写成][文字|数据|列表]""",
)
more(
    "chart_count",
    """how many {bars} [are there|do you see|can you see|does it have|has it|are drawn|] <chart>?
[count|number of] [the|all the|] {bars} <chart>
{bars}, how many?
[can|could] you count [the|all the] {bars}?
[what's|whats|what is] the number of {bars} <chart>?
[tell me|say] how many {bars} [there are|you see|it has]""",
    """<表>[有|一共有|总共有|共有][几|多少]个{bars}？
[数数|数一数|数一下|帮我数数]<表>[有几个|有多少个|][|]{bars}
{bars}[有几个|有多少个|一共几个|的个数|的数量|几个]？""",
)
more(
    "chart_colour",
    """[what|which] colo[u|]r [is|has] [bar|] {name} <chart>?
[color|colour] of [bar|] {name} <chart>?
{name} [color|colour]?
[what|which] colo[u|]r [stands for|belongs to|was used for|shows] {name}?
[tell me|name|say|give me] the [color|colour] [of|for] {name}
[in|with] [what|which] colo[u|]r is {name} [drawn|shown|painted]?""",
    """<表>{name}[是|用的是|用了][什么|啥|哪种][颜色|色][的|]？
{name}的[颜色|柱子颜色|色][是什么|是啥|呢|]？
[看看|说说|告诉我]{name}[是什么颜色|的颜色|啥颜色]
[哪种|什么|啥]颜色[是|代表|表示]{name}？""",
)
more(
    "click",
    """[where|which point] [do|should|can|would] I [click|press|tap|push] [for|to press|to choose|to hit|to select|on] {name}?
[click|press|tap|push|hit|choose|select] [the|on|on the|] {name} [button|][please|now|for me|]
[I want|I'd like|I need|I have] to [click|press|tap|choose|hit] {name}[, where|, where is it| - coordinates|, which point]?
[where's|where is|find|locate|show me] [the|] {name} [button|] [<shot>|, point please|- where to click|]?
[point|coordinates|click point|position] [of|for] [the|] {name} [button|]?
[give|show|tell] me [the point|the coordinates|where] to [click|press|tap] {name}
how do I [press|click|get to|choose] {name}?""",
    """[点|按|点一下|按一下|点击|单击|选择][那个|]{name}[按钮|][，坐标|]
[我要|我想|要|想][点|按|选|点击]{name}[，|][点哪里|点哪儿|在哪里点|按哪里|坐标是多少]？
{name}[按钮|]在[哪里|哪儿|哪][，给出坐标|，输出坐标|，点哪|][？|?]
[给我|返回|输出|告诉我]{name}[按钮|]的[坐标|点击坐标|点击位置|位置]
[帮我|请|麻烦][点|按|点击|点一下]{name}[按钮|]""",
)
more(
    "click_field",
    """[where|which point] [do|should|can] I [click|tap] to [type|enter|fill in|write|edit] [the|my|a|] {name}?
[click|tap|focus|select|go to|choose|activate] [the|on the|into the|] {name} [field|box|input|text box]
[I want|I'd like|I need|I have] to [type|enter|fill in|write|change] [the|my|] {name}[, where|, where do I click|, which point]?
[where's|where is|find|locate] [the|] {name} [field|box|input]?
[point|coordinates|position] [of|for] the {name} [field|box|input]?
[put|move|set] the cursor [in|into|to] [the|] {name} [field|box|]""",
    """[点|点一下|点击|选中|激活]{name}[输入框|那一栏|的框|框|栏]
[我要|我想|要][填|输入|写|改|填写]{name}，[点哪里|点哪儿|在哪里点|坐标是多少]？
{name}[输入框|那一栏|的框]在[哪里|哪儿|哪]？
[给我|返回|输出|告诉我]{name}[输入框|那一栏|框]的[坐标|点击坐标|位置]
[在哪里|哪里|在哪儿][填|输入|写]{name}？""",
)
more(
    "field",
    """[what|whats|what's] [is|] [in|inside|written in|typed in|entered in] the {name} [field|box|input]?
[what|which] [value|text|content] does the {name} [field|box|input] [have|contain|show]?
[read|tell me|give me|show me] [the|] [value|content|text] of [the|] {name} [field|box|]
{name}?
[what's|whats|what is] [the|his|her|their|] {name} [here|there|<shot>]?
what did [they|someone|the user|he|she] [type|enter|write|put] [as|for|in] [the|] {name}?""",
    """{name}[一栏|那里|输入框|框|栏|][写|填|输入|里写|里填][了|的|着][什么|啥]？
{name}[的内容|的值|写的|填的|][是什么|是啥|是多少]？
[看看|读|读一下|告诉我|说说]{name}[的内容|填了什么|是什么|写的啥|]""",
)
more(
    "title",
    """[what|whats|what's] [is|] the [title|name|caption] [of|for|on] [this|the] [window|dialog|form|box|screen]?
[what|which] [window|dialog|form|screen] is [this|it|that|open|shown]?
[read|tell me|give me] the [title|title bar|window title|name of the window]
[title|window title]?
how is [this|the] [window|dialog|form] called?
what does [the top|the title bar|the upper bar] say?""",
    """[窗口|这个窗口|对话框|界面|这个界面][的标题|的名字|叫|标题][是什么|什么|是啥|叫啥]？
[这|这个][是|][什么|啥][窗口|界面|对话框]？
[读|看看|告诉我][窗口|标题栏|界面的|][标题|名字|写了什么]
[标题|标题栏]写[的|了][什么|啥]？""",
)
more(
    "buttons",
    """how many buttons [are there|do you see|does it have|can I press|are shown|] <shot>?
[count|number of] [the|all the|] buttons <shot>
[can|could] you count the buttons?
[what's|whats|what is] the number of buttons <shot>?
[tell me|say] how many buttons [there are|you see|it has]
buttons, how many?""",
    """[窗口里|界面上|图中|这里|][有|一共有|总共有][几|多少]个按钮？
[数数|数一数|数一下|帮我数数][有几个|有多少个|]按钮
<图>[按钮|按键|可点的按钮][有几个|有多少个|一共几个|的个数|的数量|几个]？
[能|可以]点的按钮[有几个|有多少|一共几个]？""",
)
more(
    "check",
    """is [the|] {name} [box|checkbox|option|] [checked|ticked|on|selected|enabled|active|marked|set]?
[is|was] {name} [turned on|switched on|checked or not|on or off|chosen]?
[does|has] {name} [have|got] a [tick|check|check mark|mark]?
{name} [on|checked|ticked|enabled|selected]?
[tell me|check|see|say] [if|whether] {name} is [checked|on|ticked|selected|enabled]
did [they|someone|the user|I] [check|tick|select|enable] {name}?""",
    """{name}[勾选|打勾|选中|勾|打开|启用|开启][了吗|了没有|没有|了么|了没|了没有呢]？
{name}[有没有|是不是|是否][勾选|打勾|选中|勾上|打开|启用]？
[看看|帮我看看|告诉我]{name}[有没有|是否][勾选|打勾|选中]
{name}[是|][开着|勾着|选中的|打开的]吗？""",
)
more(
    "controls",
    """[list|name|show|enumerate|describe|give me] [all|all the|the|every|all of the] [controls|elements|widgets|ui elements|parts|fields and buttons] <shot>
[what|which] [controls|elements|widgets|fields and buttons] [are there|do you see|does it have|are shown] <shot>?
[what's|whats|what is] [on|in] [this|the] [screen|window|dialog|form|screenshot]?
[describe|explain] [this|the] [screen|window|dialog|form|screenshot|interface] [for me|please|]
[what can I|what could I] [do|fill in|press] [here|in this window|in this form]?
what do you see [on the screen|in this window|in the screenshot|in this form]?""",
    """[列出|说出|写出|告诉我|列一下][界面|窗口|图中|截图里|][的|上的|里的|][所有|全部|][控件|元素|按钮和输入框]
[界面|窗口|屏幕|截图|对话框][上|里|中][有|都有][什么|啥|哪些控件|哪些元素|些什么]？
[描述|介绍|说明|讲讲|看看][一下|][这个|][窗口|界面|截图|对话框]""",
)
more(
    "cell",
    """[what|whats|what's] [is|] the {column} [of|for] {name} <table>?
[how much|what] is {name}'s {column} <table>?
[look up|read|find|tell me|give me|show me] the {column} [of|for] {name} <table>
{name} {column}?
{column} [of|for] {name} <table>?
[what|which] {column} does {name} have <table>?
[can|could] you [look up|find|read] the {column} [of|for] {name}?
in the row [of|] {name}, what is the {column}?""",
    """[表里|表格中|表中|表格里|]{name}的{column}[是多少|是几|多少|是什么|呢|][？|?]
{name}[那行|这一行|那一行|]的{column}[是|][多少|几]？
[查|看|找|读|查一下|告诉我|帮我查]{name}的{column}
{name}{column}[多少|是多少|几]？
[表里|表格中|表中|]{name}[对应|这行|那一行]的{column}[写的是|是][什么|多少|几]？""",
)
more(
    "table",
    """[read|transcribe|copy|extract|convert|type out|write down] [the|this|that|the whole|this whole] table [to markdown|as markdown|as text|into markdown|for me|please|]
[what's|whats|what is] [in|inside] [the|this] table?
[give|show] me [the|this] table [as markdown|as text|in markdown|]
[table|this table] [to|in|as] markdown
[list|write out] [all|] [the|] rows [of the table|]
[can|could] you [read|transcribe|convert] [the|this] table?""",
    """[读|读出|提取|转写|抄写|识别|写出][这个|图中的|这张|整个|][表格|表]
[把|请把][表格|这个表|这张表][转成|变成|写成|转为][Markdown|文字|文本|markdown]
[表格|表|这个表][里|中|][有什么|有啥|的内容是什么|写了什么|都有什么]？
[给我|列出|输出][表格|这个表|表]的[内容|所有行|文字]""",
)
more(
    "html",
    """[convert|turn|translate|change] [this|the|this web|the web] [page|screenshot|picture|image|layout] [to|into] [html|HTML|html code]
[write|give me|generate|make|create|produce|output] [the|] [html|HTML|html code|HTML code] [for this|of this|for this page|of this page|for the screenshot|for it|]
[html|HTML] [of this|for this|code|of the page|please]?
[can|could] you [write|make|code|rebuild|recreate] [this|this page|the page|it] in [html|HTML]?
[recreate|rebuild|code|reproduce] [this|this page|the page|the layout|it] [in|as|with] [html|HTML]
how would this [page|] look in [html|HTML]?""",
    """[把|请把|帮我把][这个页面|页面|截图|这张图|图片|网页][转成|变成|写成|转换成|转为][HTML|html|HTML代码|网页代码]
[写|写出|生成|给我|输出][这个|这个页面的|页面的|网页的|对应的|][HTML|html|HTML代码|代码]
[用|以][HTML|html][写|写出|重现|实现|还原][这个页面|页面|它|这张图]""",
)
more(
    "heading",
    """[what|whats|what's] [is|] the [heading|headline|title|main title|big text|largest text] [of the page|here|on this page|of this|]?
[read|tell me|give me] the [heading|headline|title|big text]
[heading|headline|title]?
what does the [heading|headline|title|big text] say?
what is [written|] at the top [of the page|in big letters|]?""",
    """[页面|网页|这个页面|][的|][标题|大标题|大字][是什么|是啥|写的什么|写了什么|写的啥|]？
[读|看看|告诉我|念一下][页面的|网页的|][标题|大标题|大字]
[最上面|顶上|最大]的[字|大字|文字]是[什么|啥]？""",
)
more(
    "video_move",
    """[which|what] [way|direction] [does|is] [it|the object|the {shape}|the {thing}] [go|going|move|moving|travel|heading|]?
where [is|does] [it|the object|the {shape}|the {thing}] [go|going|move|moving to|heading]?
[direction|which way]?
[how|where to] does [it|the {shape}|the {thing}] move?
[tell me|say] [which way|where] [it|the {shape}|the object] [goes|moves]
is [it|the {shape}] [moving|going] left, right, up or down?
[in which|to which|to what] [direction|side] does [it|the {shape}|the {thing}|the object] [move|go]?""",
    """[它|物体|{shape}|{thing}|东西|][往|向|朝][哪|哪里|哪边|哪个方向|哪儿|什么方向][走|移动|动|去|跑|运动]？
[它|物体|{shape}|{thing}][怎么|怎样|如何][动|移动|走]的？
[移动|运动|动]的[方向|方位][是什么|是哪边|是啥|呢]？
[看看|说说|告诉我][它|物体|{shape}]往[哪边|哪里|哪个方向][走|动|移动]""",
)
more(
    "video_time",
    """[when|at what time|at which second|in which second] does [it|the object|the {shape}|the {thing}] {verb}?
[when|at what second] did [it|the {shape}|the {thing}] {verb}?
[how long|how many seconds] [until|till|before] [it|the object|the {shape}|the {thing}] {verb}s?
[tell me|say|find] [when|at what time] [it|the {shape}|the {thing}|the object] {verb}s
[what|which] second does [it|the {shape}|the {thing}] {verb} [at|in|]?
after how [long|many seconds] does [it|the {shape}|the object|the {thing}] {verb} [in the video|in the clip|]?
[moment|time|second] [when|at which] [it|the {shape}|the object] {verb}s?""",
    """[它|物体|{shape}|{thing}|][什么时候|啥时候|何时|几秒|第几秒|在第几秒|多少秒][的时候|]{verb}[的|]？
[过了|过][多久|几秒|多少秒][它|物体|{shape}|][才|]{verb}？
[告诉我|看看|说说][它|物体|{shape}|{thing}][什么时候|第几秒|何时]{verb}
{verb}[的时间|是在第几秒|是几秒|是什么时候][？|]""",
)
more(
    "video_change",
    """[what|whats] [changes|changed|is changing|is different] [in the video|in the clip|here|over time|]?
[when|how] [does|did] [it|the {shape}|the color|the colour] change [color|colour|]?
[which|what] change [do you see|is there|happens] [in the video|in the clip|]?
[tell me|describe|say] [what changes|the change|how it changes] [and when|]
[from|to] [what|which] colo[u|]r does [it|the {shape}] change[, and when|]?""",
    """[视频里|视频中|][什么|啥|哪里][变了|变化了|改变了|不一样了]？
[它|{shape}|颜色|][怎么|什么时候|何时|第几秒][变的|变化|变|变了颜色|变色]？
[说说|告诉我|描述][视频里|][的|][变化|有什么变化|怎么变的]
[有|][什么|啥|哪些]变化？""",
)
more(
    "video_describe",
    """[what|whats] [happens|is happening|goes on|is going on|do you see] [in the video|in the clip|in this|here|]?
[describe|summarize|explain|caption] [the|this] [video|clip|movie|animation] [for me|briefly|please|]
[tell me|say] [what happens|what you see|what is going on] [in the video|in the clip|]
[what's|whats|what is] [this|the] [video|clip] [about|]?
[can|could] you [describe|summarize|explain] [the|this] [video|clip]?
[watch|look at] [this|the video|it] and [describe it|tell me what happens]""",
    """[视频|视频里|这个视频|这段视频|][发生了|讲了|里有|说了|是][什么|啥|什么事]？
[描述|说说|讲讲|总结|介绍|概括][一下|][这个|这段|]视频
[看|看看][视频|这段视频]，[发生了什么|说说内容|有什么]？""",
)
more(
    "video_shape",
    """[what|which|what kind of] [shape|figure|object|thing] [is it|is that|do you see|is shown|is there|is moving] [in the video|in the clip|]?
[name|tell me|say|identify] the [shape|object|figure] [in the video|in the clip|]
[shape|object] [in the video|in the clip|]?
[what's|whats|what is] the [shape|object|thing] [in the video|in the clip|]?
[can|could] you name the [shape|object|figure]?""",
    """[视频里|视频中|][的|][东西|物体|图形|它|那个][是什么|是啥|是什么形状|是啥形状|是哪种图形]？
[是|][什么|啥|哪种][形状|图形]？
[看看|说说|告诉我][视频里|][的|]物体[是什么形状|的形状]""",
)
more(
    "and",
    """[and|what about|how about|and what about|and how about] [the|that|] {thing}?
[now|then|next|also] [the|for the] {thing}
[the|that] {thing}, too?
[same|same question] for [the|that] {thing}
[and|ok and|so and|good, and] [what of|how is it with|what is with|what about] [the|that] {thing}?""",
    """[那|那么|还有|然后|]{thing}[呢|怎么样|又是什么|]？
[再|][看看|说说|问下]{thing}[呢|]
[同样|一样]的问题，{thing}[呢|]？
[好的|嗯|好|谢谢]，[那|那么|再说|]{thing}呢？""",
)
more(
    "and_where",
    """[and|so|ok, and|] where [is it|is that|exactly|is it exactly|in the picture|do I find it|]?
[and|] [what is|what's|whats] its [position|place|location]?
[in|at] [which|what] [part|place|corner|spot] [is it|of the picture|]?
where [did they put it|can I see it|to look]?""",
    """[它|那它|那个|那|][在哪|在哪里|在哪儿|在什么位置|在什么地方|位置在哪][呢|]？
[它的|]位置[呢|是哪里|在哪]？
[具体|到底]在[哪|哪里|哪儿]？""",
)
task(
    "chart_title",
    """what is the title [of the chart|of this chart|of the graph|of this diagram|]?
[read|tell me|give me|show me] the [title|heading|name] [of the chart|of this graph|]
[how is|what is] [the|this] [chart|graph] called?
what [does|is] this [chart|graph] [show|about], by its title?
[chart title|title of the chart|the chart's title]?
what is written [over|above|at the top of] the [chart|graph|bars]?""",
    """[图表|图|这个图表|这张图|]的标题[是什么|是啥|写的什么|写了什么]？
[图表|这个图表|这张图]叫什么[名字|]？
[读|念|看看|告诉我]图表的[标题|名字]
[图表上方|图的上面|最上面]写[了|的][什么|啥]？""",
)
task(
    "chart_difference",
    """how much [more|higher|bigger|larger] is {a} than {b} <chart>?
[what's|whats|what is] the difference [between|of] {a} and {b} <chart>?
[by how much|how much] [does|did] {a} [beat|exceed|top] {b}?
[difference between|difference of] {a} and {b}?
{a} minus {b}?
[compare|subtract] {a} and {b} <chart>
how [far|much] apart are {a} and {b} <chart>?
how much [less|lower|smaller] is {b} than {a}?""",
    """<表>{a}比{b}[多|高|大][多少|几]？
{a}[和|与|跟]{b}[相差|差|的差是|差了][多少|几]？
{a}减{b}[是|等于|得][多少|几]？
{b}比{a}[少|低|小][多少|几]？
[比较|对比|算算]{a}和{b}[差多少|的差|]""",
)
task(
    "pair_difference",
    """[what's|whats|what is] [different|the difference|changed|not the same] [between the two|between the pictures|between these images|here|]?
[find|spot|tell me|describe|show me] the difference [between the two|between the pictures|]
[how|in what] do [the two|these two|the] [pictures|images|photos] differ?
[what|which thing] [changed|is new|is missing|has changed] [from the first to the second|in the second picture|]?
[compare|compare with each other] [the two|these|both|the] [pictures|images]
what [changes|is different] from the first [picture|image] to the second?""",
    """[两张图|这两张图|两幅图|图片][有什么|有啥|哪里|的]不同[之处|]？
[找出|说说|告诉我|看看][两张图|两幅图|][的|][不同|区别|差别|变化]
[哪里|什么|啥][变了|不一样|不同]？
[对比|比较|比较一下][这|]两张[图|图片]
第二张[图|图片]和第一张[有什么不同|有什么区别|差在哪里]？""",
)
task(
    "pair_same",
    """are [they|the two|these two|both pictures|the pictures|these images|the two images] [the same|identical|equal|alike]?
[do|does] [both|the two|these] [pictures|images] show the same [thing|things|]?
[same|identical] [or not|or different|pictures]?
[tell me|check|say] [if|whether] [they|the pictures|both images] are [the same|identical]""",
    """[两张图|这两张图|两幅图|它们|两张图片][一样|相同|是一样的|完全一样]吗？
[两张图|这两张图|两幅图][是不是|是否][一样|相同]？
[看看|判断|告诉我][两张图|两幅图]是否[一样|相同]""",
)
task(
    "pair_more",
    """which [picture|image|one] has more [objects|shapes|things|in it|]?
[where|in which picture|in which image] are there more [objects|shapes|things]?
[compare|count] the [number of|] [objects|shapes|things] in both [pictures|images]
[more|most] [objects|shapes|things] in which [picture|image]?""",
    """[哪张|哪一张|哪幅][图|图片]的[东西|物体|图形][多|更多|比较多]？
[两张图|两幅图][哪张|哪个][物体|图形|东西|][多|更多]？
[比较|数数|数一下]两张图的[物体|图形]数[量|]
[物体|图形]更多的是[哪张|哪一张]？""",
)
task(
    "pair_where",
    """[in which|on which] [picture|image|one] is the {thing}?
which [picture|image|one] [has|shows|contains] [a|the] {thing}?
[where|which picture] [is|has] the {thing}, [first or second|the first or the second]?
[find|look for] the {thing}: which [picture|image] [is it|has it]?
is the {thing} in the first or [in|] the second [picture|image|one]?""",
    """{thing}在[哪张|哪一张|第几张][图|图片][里|中|]？
[哪张|哪一张|第几张][图|图片][里|]有{thing}？
[看看|告诉我|找找]{thing}在[哪张图|第几张图][里|]
{thing}是在第一张还是第二张[图|]？""",
)
task(
    "diagram_to",
    """[what|which box|where] does {name} [point|lead|go|connect] to?
[what|which box|which one] [comes|follows|is] after {name}?
[where|to what|to which box] does the arrow [from|of] {name} [go|point|lead]?
what is [next after|behind|after] {name}?
[follow|trace] the arrow from {name}
{name} [points|leads|goes] to [what|which box|where]?
[next step|next box] after {name}?""",
    """{name}指向[哪里|什么|哪个|哪个框|啥]？
{name}[的箭头|][连到|通到|通向|连着|指着][哪里|什么|哪个框|哪个]？
{name}[之后|后面|的下一步][是什么|是哪个|是啥|到哪里]？
[从|]{name}[出发|]的箭头[指向|到|通向][哪里|什么|哪个框]？
[看看|告诉我]{name}指向[哪里|什么]""",
)
task(
    "diagram_from",
    """[what|which box|which one] [points|leads|goes|connects] to {name}?
[what|which box|which one] [comes|is] before {name}?
[where|from where|from which box] does the arrow to {name} [come from|start]?
[what|which box] has an arrow to {name}?
[previous step|previous box] before {name}?""",
    """[什么|哪个|哪个框|啥][指向|通向|连到]{name}？
{name}[之前|前面|的上一步][是什么|是哪个|是啥]？
指向{name}的[箭头|]是[从哪里|哪个框|从哪个框][来的|出发的|]？
[哪个框|谁]的箭头[指向|到]{name}？""",
)
task(
    "diagram_list",
    """[list|name|read|give me|write down] [all|all the|the] [boxes|labels|nodes|steps|elements] [of the diagram|in the diagram|here|]
[what|which] [boxes|labels|nodes|steps] [are there|do you see|does it have|are in the diagram]?
[what|which words] [is|stands|are] [written|] in the boxes?
[read|transcribe] the [diagram|flowchart|flow chart]
[boxes|labels|nodes]?""",
    """[列出|读出|说出|告诉我|写出][图中|流程图|][所有|全部|][的|][框|节点|步骤|文字]
[图中|流程图里|这里][有哪些|都有什么|有什么][框|节点|步骤]？
[框|方框|节点]里[写了什么|写的什么|是什么字]？""",
)
task(
    "diagram_count",
    """how many [boxes|nodes|steps|shapes] [are there|do you see|does it have|does the diagram have|] [in the diagram|here|]?
[count|number of] [the|] [boxes|nodes|steps] [in the diagram|here|]
[what's|what is] the number of [boxes|nodes]?""",
    """[图中|流程图里|这里|][有|一共有|总共有][几|多少]个[框|节点|方框|步骤]？
[数数|数一数|数一下][有几个|有多少个|][框|节点|方框]
[框|节点|方框][有几个|一共几个|的数量]？""",
)
task(
    "drawio",
    """[convert|turn|translate|change] [this|the] [diagram|flowchart|flow chart|picture|drawing|image] [to|into] [Draw.io XML|draw.io|drawio xml|mxGraph XML|a Draw.io file]
[write|give me|generate|make|create|output] [the|] [Draw.io XML|drawio xml|mxGraphModel|draw.io code] [of this|for this|for this diagram|of the diagram|]
[recreate|redraw|rebuild|draw] [this|this diagram|the diagram|it] [in|for|with] [Draw.io|draw.io|drawio]
[draw.io|drawio] [xml|XML] [please|of this|for this]?
I need [this|this diagram|it] [as|in] [Draw.io XML|a drawio file|draw.io]""",
    """[把|请把|帮我把][这个图|流程图|这张图|图片][转成|变成|写成|转换成|转为][Draw.io的XML|drawio|Draw.io XML|Draw.io文件]
[写|写出|生成|给我|输出][这个图的|流程图的|对应的|][Draw.io XML|drawio代码|Draw.io代码|mxGraphModel]
[用|以][Draw.io|drawio][画|重画|还原|重现][这个图|它|这张图]""",
)
