"""More wordings: windows, tables, pages, videos and small talk. See wordings.py."""
from wordings import task

task(
    "title",
    """What is the title of the window?
What is the window called?
Read the window's title.
Which title does the window have?
What does the title bar say?
Tell me the title.
title of this window?
What's this window's name?
Which window is this?
What is written at the top of the window?
Read the title bar.
The window is called what?
Name this window.
What dialog is this?
Give me the window title.""",
    """窗口的标题是什么？
这个窗口叫什么？
读出窗口标题。
标题是什么？
标题栏写了什么？
这是什么窗口？
窗口上方写了什么？
告诉我窗口的标题。
窗口名称是什么？
请读标题栏。
窗口标题？
这个对话框的标题是什么？
界面的标题是什么？
窗口顶部的文字是什么？
这个界面叫什么？""",
)
task(
    "buttons",
    """How many buttons are there?
Count the buttons.
How many buttons does the window have?
What is the number of buttons?
how many buttons
How many buttons do you see?
Tell me the number of buttons.
How many buttons can I press?
The window has how many buttons?
Number of buttons?
Can you count the buttons?
How many buttons are shown?
Give the button count.
How many different buttons are there?
In total, how many buttons?""",
    """有几个按钮？
窗口里有多少个按钮？
数一数按钮。
一共几个按钮？
按钮有几个？
图中有几个按钮？
按钮的数量是多少？
界面上有几个按钮？
帮我数按钮。
可以按的按钮有几个？
总共有多少个按钮？
能看到几个按钮？
请数一下按钮。
有多少按钮？
按钮几个？""",
)
task(
    "check",
    """Is the {name} box checked?
Is {name} checked?
Is {name} ticked?
Is the checkbox {name} on?
Has {name} been selected?
What is the state of {name}?
Is {name} on or off?
Did someone tick {name}?
{name}: checked or not?
Tell me if {name} is checked.
Is there a check mark at {name}?
is {name} enabled
Is the option {name} active?
Check the state of {name}.
Does the {name} box have a tick?""",
    """{name}勾选了吗？
{name}有没有打勾？
{name}选中了吗？
{name}是否勾选？
{name}是选中的吗？
{name}打勾了吗？
{name}的状态是什么？
{name}开着吗？
看看{name}有没有勾选。
{name}前面有勾吗？
是否选中了{name}？
{name}复选框勾了没有？
{name}是勾选状态吗？
{name}启用了吗？
{name}勾上了吗？""",
)
task(
    "controls",
    """List all controls in the screenshot.
What controls are in this window?
List the controls.
Describe this window.
What is on the screen?
Which elements does the window have?
Describe the screenshot.
List everything in the window.
What does the window contain?
Give me all UI elements.
Enumerate the controls.
what can I do in this window
Show the structure of the window.
Name all fields and buttons.
Which controls do you see?""",
    """列出界面上的所有控件。
这个窗口里有哪些控件？
列出控件。
描述这个窗口。
界面上有什么？
截图里有什么？
这个界面有哪些元素？
列出窗口的内容。
窗口里有什么？
请列出所有界面元素。
描述这张截图。
有哪些输入框和按钮？
说说这个界面。
列出所有按钮和输入框。
窗口包含哪些控件？""",
)
task(
    "cell",
    """What is the {column} of {name}?
Read the {column} of {name} in the table.
Which {column} does {name} have?
In the row {name}, what is the {column}?
{name}: what {column}?
Look up the {column} of {name}.
Tell me {name}'s {column}.
What does the table say about the {column} of {name}?
Find the {column} for {name}.
Give me the {column} of {name}.
{column} of {name}?
What {column} is listed for {name}?
Which number is in the {column} column for {name}?
How much is the {column} of {name}?
In the table, what's {name}'s {column}?""",
    """{name}的{column}是多少？
表格中{name}的{column}是多少？
{name}这一行的{column}是什么？
查一下{name}的{column}。
{name}的{column}？
读出{name}的{column}。
告诉我{name}的{column}。
{name}对应的{column}是多少？
表里{name}的{column}写的是多少？
{name}的{column}是几？
请找出{name}的{column}。
{name}有多少{column}？
看表，{name}的{column}是多少？
{name}那行{column}是多少？
{name}的{column}数值是什么？""",
)
task(
    "table",
    """Read the table.
Convert the table to Markdown.
Write the table as Markdown.
What does the table contain?
Transcribe the table.
Extract the table.
Give me the table as text.
Turn this table into Markdown.
List the rows of the table.
Copy the table.
table to markdown
What is in the table?
Type out this table.
Show the whole table.
Recognize the table.""",
    """读出表格。
把表格转换成Markdown。
用Markdown写出这个表格。
表格里有什么？
提取表格内容。
识别表格。
抄写这个表格。
列出表格的内容。
把这个表格写成文字。
表格的内容是什么？
请输出表格。
转写表格。
请给出整个表格。
表格转Markdown。
写出表格的每一行。""",
)
task(
    "html",
    """Convert this page to HTML.
Write the HTML of this page.
Give me the HTML code.
Turn this screenshot into HTML.
What is the HTML for this?
Generate HTML from the image.
Recreate this page in HTML.
HTML please
Write code for this web page.
Make a web page that looks like this.
Code this layout in HTML.
Produce the HTML of the screenshot.
Rebuild this page as HTML.
Output HTML for the picture.
I need this page as HTML.""",
    """把这个页面转换成HTML。
写出这个页面的HTML代码。
生成这个页面的HTML。
把截图变成HTML。
这个页面的HTML是什么？
用HTML重现这个页面。
请输出HTML代码。
根据图片写HTML。
给我这个网页的代码。
把图中的页面写成HTML。
截图转HTML。
写一个这样的网页。
用HTML写出这个界面。
请把页面转成HTML。
输出页面的HTML。""",
)
task(
    "heading",
    """What is the heading?
Read the heading.
What does the headline say?
Which heading does the page have?
What is the title of the page?
Tell me the heading.
heading of the page?
What is written in large letters?
What's the biggest text?
Read the largest text.
Give me the headline.
What is the page about, by its heading?
The heading is what?
Which word is the heading?
What is the page's heading?""",
    """标题是什么？
页面的标题是什么？
读出标题。
大标题写了什么？
最大的字是什么？
网页标题是什么？
告诉我标题。
标题写的什么？
请读出页面标题。
这个页面的标题？
最上面的大字是什么？
页面的大标题是什么？
看一下标题是什么。
标题的文字是什么？
这个网页的标题是什么？""",
)
task(
    "video_move",
    """Which direction does the object move?
How does the {shape} move?
In which direction is the {thing} moving?
Where does the object go?
What direction is it moving in?
Which way does the {shape} go?
Where is the {thing} heading?
To which side does the object move?
Tell me the direction of the movement.
which way is it going
How does the object move?
In what direction does the {shape} travel?
Does it go left, right, up or down?
What is the direction of motion?
Where does the {shape} move?""",
    """物体向哪个方向移动？
{shape}怎样移动？
{thing}朝哪个方向运动？
物体往哪边走？
它向哪里移动？
{shape}往哪个方向去？
移动的方向是什么？
物体朝哪边移动？
{thing}怎么动的？
视频里的物体往哪里移动？
运动方向是什么？
它是往左、往右、往上还是往下？
{shape}向哪边移动？
说说物体移动的方向。
物体怎么移动？""",
)
task(
    "video_time",
    """When does the object {verb}?
When does the {shape} {verb}?
At what time does the {thing} {verb}?
At which second does it {verb}?
How many seconds until the object {verb}s?
When exactly does the {shape} {verb}?
Tell me when the object {verb}s.
Give the time at which the {thing} {verb}s.
when does it {verb}
What is the time when the {shape} {verb}s?
In which second does the {shape} {verb}?
After how many seconds does it {verb}?
At what point does the object {verb}?
When in the video does the {thing} {verb}?
Find the moment the {shape} {verb}s.""",
    """物体什么时候{verb}？
{shape}什么时候{verb}？
{thing}在第几秒{verb}？
它在第几秒{verb}？
几秒的时候物体{verb}？
{shape}在什么时间{verb}？
告诉我物体何时{verb}。
{thing}是什么时候{verb}的？
物体在多少秒{verb}？
视频里{shape}何时{verb}？
过了多久{shape}{verb}？
什么时候{verb}？
物体{verb}的时间是多少？
请给出{thing}{verb}的时间。
在哪一秒{verb}？""",
)
task(
    "video_change",
    """What changes in the video?
When does the color change?
What happens to the color?
How does the {shape} change?
Does the {shape} change its color, and when?
At what time does the color change?
Describe the change.
Which change do you see?
what changed
What is different later in the video?
When does the {shape} change color?
From which color to which does it change?
Tell me what changes and when.
What happens to the {shape}?
Explain the change in the video.""",
    """视频中有什么变化？
颜色什么时候变化？
颜色怎么变了？
{shape}有什么变化？
{shape}什么时候变颜色？
什么变了？
说说视频里的变化。
从什么颜色变成什么颜色？
{shape}的颜色怎样变化？
有什么不同？
描述一下变化。
后来发生了什么变化？
第几秒颜色变了？
颜色在什么时候变？
视频里什么东西变了？""",
)
task(
    "video_describe",
    """Describe the video.
What happens in the video?
What happens?
Tell me about this video.
Summarize the video.
What do you see in the clip?
Explain what happens.
What is going on here?
Give a short description of the video.
what's happening
Describe what happens over time.
What is this video about?
Can you describe the clip?
Watch the video and tell me what happens.
Caption this video.""",
    """描述这个视频。
视频里发生了什么？
发生了什么？
说说这个视频。
总结一下视频。
视频的内容是什么？
你在视频里看到了什么？
请描述视频内容。
这段视频讲了什么？
简单描述一下这段视频。
看视频，发生了什么事？
视频里有什么？
介绍一下视频。
这个视频是什么内容？
说明视频中发生的事。""",
)
task(
    "video_shape",
    """What shape is the object in the video?
Which shape do you see in the video?
What is the object's shape?
Name the shape in the clip.
What object is in the video?
What kind of shape is it?
which shape is it
What figure appears in the video?
Tell me the shape of the object.
The object is what shape?
Identify the shape in the video.
What shape is shown?
What's the moving thing's shape?
Is it a circle, a star or something else?
Which figure is it?""",
    """视频中的物体是什么形状？
视频里是什么图形？
物体是什么形状？
它是什么形状的？
视频里出现的是什么形状？
那个物体是什么图形？
说出视频中物体的形状。
这是什么形状？
视频中有什么图形？
告诉我物体的形状。
是哪种图形？
识别视频里的形状。
视频里的东西是什么形状？
物体的形状是什么？
是圆形还是别的形状？""",
)
task(
    "and",
    """And the {thing}?
What about the {thing}?
How about the {thing}?
and {thing}?
And what about the {thing}?
Now the {thing}.
The {thing} too, please.
Same question for the {thing}.
Then the {thing}?
And that {thing}?""",
    """那{thing}呢？
{thing}呢？
还有{thing}呢？
{thing}怎么样？
那么{thing}呢？
再看看{thing}。
换成{thing}呢？
同样的问题，{thing}呢？
再问一下，{thing}呢？
{thing}又是什么？""",
)
task(
    "and_where",
    """Where is it?
And where is it?
Where in the image?
Whereabouts?
where exactly
Which part of the picture?
And its position?
Where can I find it?
In which corner?
Where does it lie?""",
    """它在哪里？
在哪里？
它在什么位置？
位置呢？
那它在哪儿？
在图片的哪里？
它的位置是？
在哪一边？
具体在哪里？
我在哪里能看到它？""",
)
