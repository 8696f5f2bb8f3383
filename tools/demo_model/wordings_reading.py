"""Wordings for reading: text, sums, charts, windows, tables, pages and videos, and small talk. See wordings.py."""
from wordings import task

task(
    "read",
    """What does the text say?
Read the text in the image.
Read all the text.
OCR this image.
What is written here?
What does it say?
Transcribe the text.
Please read this to me.
Can you read this?
What's written in the picture?
Extract the text from the image.
Give me the text in this picture.
What text do you see?
type out the text
What words are shown?
Which word is written there?
Convert this image to text.
What does this sign say?
Recognize the text in this picture.
Copy the text exactly.""",
    """图中写了什么？
读出图片中的文字。
识别图中的所有文字。
图片上的文字是什么？
上面写的是什么？
这写的什么字？
请读一下。
提取图片里的文字。
图里的字是什么？
把图中的文字写出来。
文字内容是什么？
念一下图上的字。
图片写着什么？
转写图中的文本。
帮我读一下这张图上的文字。
牌子上写了什么？
请识别文字。
OCR这张图。""",
)
task(
    "number",
    """What number is shown?
Read the number in the image.
Which number is this?
What number do you see?
Tell me the number.
What is the number in the picture?
Can you read the number?
What digits are shown?
read the digits
Give me the number.
Which digits are written here?
Type the number you see.
What does the number say?
The number in the image is?
Please read out the number.""",
    """图中的数字是多少？
读出图片中的数字。
这是什么数字？
数字是多少？
图里写的是哪个数？
请读出这个数。
你看到什么数字？
图片中的数是多少？
告诉我图上的数字。
数字是什么？
念出图中的数字。
这个数是多少？
识别图中的数字。
写出图中的数字。
图上显示的数字是几？""",
)
task(
    "line",
    """What is on the {en} line?
Read the {en} line.
What does the {en} line say?
Which text is on the {en} line?
Give me only the {en} line.
text of the {en} line?
What's written in the {en} line?
Read out line number {n}.
What does line {n} say?
Show me the {en} line of text.
Only the {en} line, please.
What can be read on line {n}?
Transcribe the {en} line.
The {en} line says what?
What words are in the {en} line?""",
    """第{zh}行是什么？
第{zh}行写了什么？
读出第{zh}行。
请读第{zh}行的文字。
第{zh}行的内容是什么？
只读第{zh}行。
图中第{zh}行的字是什么？
第{n}行写的是什么？
第{n}行是什么？
把第{zh}行写出来。
告诉我第{zh}行的内容。
第{zh}行文字是什么？
念一下第{zh}行。
识别第{zh}行。
看一下第{zh}行写的什么。""",
)
task(
    "lines",
    """How many lines of text are there?
How many lines does the text have?
Count the lines.
How many lines do you see?
What is the number of lines?
how many lines
The text has how many lines?
Tell me the number of text lines.
Can you count the lines of text?
How many rows of text are in the picture?
Over how many lines is the text written?
Give the line count.
In how many lines is it written?
How many text lines are shown?
Number of lines?""",
    """有几行文字？
文字有多少行？
数一数有几行。
一共几行？
图中有多少行字？
行数是多少？
图里的文字有几行？
帮我数一下行数。
总共有几行文字？
文本一共多少行？
写了几行？
有几行字？
请说出行数。
几行文字？
图片上有几行？""",
)
task(
    "characters",
    """How many characters are there?
How many letters or digits do you see?
Count the characters.
What is the number of characters?
How long is the text in characters?
how many characters
The text has how many characters?
Tell me the number of characters.
Of how many characters is the text made?
How many signs are written?
Count the characters in the image.
Give me the number of characters.
Can you count the characters?
How many characters does the word have?
Number of characters?""",
    """有几个字符？
一共多少个字符？
数一数字符。
字符数是多少？
图中有多少个字符？
文字有几个字符？
这段文字有多长？
几个字符？
总共有几个字符？
帮我数字符的个数。
字符的个数是多少？
写了几个字符？
有多少字符？
请数一下字符。
图里的字符有几个？""",
)
task(
    "text_colour",
    """What color is the text?
What colour is the text?
Which color is the writing?
In what color is the text written?
What is the color of the text?
What color are the letters?
Tell me the text color.
text color?
What colour is the writing in?
Name the color of the letters.
The text is what color?
What ink color is used?
Which color do the letters have?
Give me the colour of the text.
What color is the word?""",
    """文字是什么颜色的？
字是什么颜色？
文字的颜色是什么？
图中的字是什么颜色的？
用什么颜色写的？
字体是什么颜色？
告诉我文字的颜色。
字的颜色？
写字用的是什么颜色？
文字用了哪种颜色？
这些字是什么颜色？
图里文字的颜色是什么？
上面的字是什么颜色的？
说出文字的颜色。
文本是什么颜色的？""",
)
task(
    "sum",
    """What is the result?
Calculate the expression in the image.
Solve it.
Compute the answer.
What does this add up to?
How much is it?
What's the answer?
Solve the problem in the picture.
Work it out.
Evaluate the expression.
What is the value of the expression?
Can you do this sum?
Please calculate this.
Give me the result.
what's the result of the calculation
Do the math.
What is the solution?
Help me with this sum.""",
    """结果是多少？
计算图中的算式。
请算出答案。
图中的算式等于多少？
等于几？
答案是多少？
算一下。
这道题怎么做？
帮我算算。
求结果。
得数是多少？
图里的题目答案是什么？
请计算。
这个算式的结果是什么？
算出图中的题目。
请解答。""",
)
task(
    "expression",
    """Read the expression.
What expression is shown?
Which calculation is written?
What sum is in the picture?
Read the sum without solving it.
Write down the expression.
What is the problem?
Copy the expression.
Which numbers and sign are written?
Transcribe the calculation.
What does the board say?
Tell me the expression in the image.
What calculation do you see?
State the problem.
Which expression is it?""",
    """读出算式。
图中的算式是什么？
写的是什么算式？
算式是什么？
请读一下题目。
只读算式，不用计算。
抄写图中的算式。
图里是哪个算式？
题目是什么？
识别算式。
把算式写出来。
黑板上写的是什么算式？
告诉我这个算式。
念出算式。
图片中的式子是什么？""",
)
CHART_ENGLISH = """Which {bar} is the {en}?
What is the {en} {bar} and its value?
Which category has the {size} value?
What is the {size} value in the chart?
Which item has the {size} value?
Name the {en} {bar}.
Where is the value the {size}?
Which one is the {en}?
Tell me which {bar} is {en}.
Which entry of the chart is the {size}?
the {en} {bar}?
What's the {size} one, and how much is it?
Find the {bar} with the {size} value.
Which label belongs to the {en} {bar}?
Who or what has the {size} number?
Look for the {size} value. Which is it?"""
task(
    "chart_extreme",
    CHART_ENGLISH,
    """哪个{bar}最{zh}？
最{zh}的{bar}是哪个，数值是多少？
哪一项的数值最{big}？
最{big}的是哪个？
哪个最{zh}？
数值最{big}的是哪一项？
图表中最{big}的值是哪个？
告诉我最{zh}的{bar}。
谁的数值最{big}？
哪一项最{big}，是多少？
最{zh}的是什么？
找出最{big}的一项。
图中哪个数值最{big}？
最{big}值是多少，是哪个？
哪个类别的值最{big}？""",
)
task(
    "chart_value",
    """What is the value of {name}?
How high is bar {name}?
How much is {name}?
What value does {name} have?
Which number belongs to {name}?
Tell me the value for {name}.
Read the value of {name} from the chart.
value of {name}?
{name} is how much?
What does the chart show for {name}?
Give me the number for {name}.
How big is {name}?
What is {name} in this chart?
For {name}, what is the value?
Can you read off {name}?
What number does {name} reach?""",
    """{name}的数值是多少？
{name}是多少？
{name}的值是多少？
图表中{name}是多少？
{name}有多少？
{name}对应的数值是什么？
读出{name}的数值。
{name}的数据是多少？
告诉我{name}的值。
{name}那一项是多少？
{name}达到多少？
看图，{name}的数值是几？
{name}的数是多少？
图中{name}的值？
{name}为多少？""",
)
task(
    "chart_list",
    """List all values of the chart.
List the data.
Read all values.
What are the values in the chart?
Give me every label with its value.
Turn the chart into a list.
What data does the chart show?
Extract the data from the chart.
Write out all labels and values.
Which values are shown?
Tell me all the numbers.
read the whole chart
Give me the chart's data.
Convert this chart to text.
Show the numbers behind the chart.""",
    """列出图表中的所有数值。
读出所有数据。
图表里有哪些数值？
把图表的数据列出来。
列出每一项的数值。
图中的数据是什么？
提取图表数据。
每一项分别是多少？
把所有标签和数值写出来。
请列出全部数据。
图表的内容是什么？
把图表转换成文字。
所有的数值是多少？
说出每个数值。
请读出整个图表。""",
)
task(
    "chart_count",
    """How many {bars} are there?
Count the {bars}.
How many {bars} does the chart have?
What is the number of {bars}?
How many {bars} do you see?
how many {bars}
Tell me the number of {bars}.
The chart has how many {bars}?
Can you count the {bars}?
How many {bars} are shown?
How many {bars} are in the chart?
Number of {bars}?
Give me the count of {bars}.
How many {bars} can be seen?
In total, how many {bars}?""",
    """有几个{bars}？
图表有多少个{bars}？
数一数{bars}。
一共几个{bars}？
{bars}有几个？
图中有几个{bars}？
{bars}的数量是多少？
总共有多少个{bars}？
帮我数{bars}。
图里{bars}一共几个？
有多少个{bars}？
这个图表有几个{bars}？
请数{bars}的个数。
能看到几个{bars}？
{bars}几个？""",
)
task(
    "chart_colour",
    """What color is bar {name}?
What colour is {name}?
Which color does {name} have?
What is the color of {name} in the chart?
In what color is {name} drawn?
Tell me the color of {name}.
color of {name}?
Name the colour of {name}.
{name} is shown in which color?
Which colour stands for {name}?
Give me the color of {name}.
What color was used for {name}?
How is {name} colored?
Identify the color of {name}.
The color for {name}?""",
    """{name}的柱子是什么颜色？
{name}是什么颜色的？
{name}用的是什么颜色？
{name}的颜色是什么？
图表中{name}是什么颜色？
{name}什么颜色？
告诉我{name}的颜色。
哪种颜色代表{name}？
{name}对应什么颜色？
{name}那一项是什么颜色？
{name}是哪种颜色？
说出{name}的颜色。
图中{name}的颜色？
{name}画成了什么颜色？
看看{name}是什么颜色。""",
)
task(
    "click",
    """Click the {name} button.
Where should I click to press {name}? Output JSON.
Point to the "{name}" button.
Press {name}.
Click on {name}.
Where is the {name} button? Give the point in JSON.
Tap {name}.
Which point do I click for {name}?
Give the click coordinates of "{name}".
I want to press {name}. Where?
Output the point to click for {name}.
Locate the {name} button and return a point.
Push the {name} button.
Find the {name} button: point_2d.
Show me where to click for {name}.""",
    """点击“{name}”按钮。
“{name}”按钮在哪里？输出点击坐标。
请给出{name}按钮的坐标。
点{name}。
点击{name}。
按下{name}按钮。
我要按{name}，点哪里？
输出{name}的点击位置。
请点击{name}按钮。
{name}按钮的坐标是多少？
给出“{name}”的点击坐标，JSON格式。
找到{name}按钮并给出坐标。
帮我点{name}。
要选{name}应该点哪里？
返回{name}按钮的point_2d。""",
)
task(
    "click_field",
    """Click the {name} field.
Click into the {name} box.
Where do I type the {name}? Output JSON.
Point to the {name} field.
Put the cursor into {name}.
I want to fill in {name}. Where do I click?
Select the {name} input.
Give the point of the {name} field.
Focus the {name} field.
Tap the {name} field.
Where is the input for {name}? Answer with a point.
Locate the {name} field, point_2d.
Which point do I click to enter {name}?
Activate the {name} text box.
Go to the {name} field.""",
    """点击{name}输入框。
点{name}输入框。
{name}在哪里填？输出坐标。
我要填{name}，点哪里？
选中{name}输入框。
给出{name}输入框的坐标。
请点击{name}这一栏。
把光标放到{name}。
{name}输入框在哪里？输出点击坐标。
定位{name}输入框。
输入{name}要点哪里？
点一下{name}的输入框。
返回{name}输入框的point_2d。
激活{name}输入框。
请选择{name}输入框。""",
)
task(
    "field",
    """What is in the {name} field?
Read the value of {name}.
What does the {name} field contain?
What is entered for {name}?
Which {name} is given?
What's the {name}?
Tell me the {name}.
Is the {name} field filled, and with what?
What is written in {name}?
Read the {name} field.
content of the {name} field?
What has been typed into {name}?
Give me what {name} says.
The {name} field shows what?
What value has {name}?""",
    """{name}输入框里是什么？
{name}填的是什么？
{name}是什么？
{name}一栏写了什么？
读出{name}的内容。
{name}输入框的内容是什么？
{name}里填了什么？
告诉我{name}。
{name}的值是什么？
{name}那里写的什么？
看一下{name}填了什么。
{name}栏是什么内容？
{name}输入了什么？
请读出{name}。
{name}框里写着什么？""",
)
