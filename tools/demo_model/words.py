"""The vocabulary of the generated pictures: colours, shapes, places, words on signs, labels of controls, each in
English and Chinese.

`held_out(text)` keeps an eighth of all combinations and texts for the validation set, so that its pictures show what
training never did.
"""
import zlib

COLOURS = {
    "red": ((222, 40, 40), "红色"),
    "green": ((40, 160, 60), "绿色"),
    "blue": ((40, 80, 220), "蓝色"),
    "yellow": ((240, 215, 40), "黄色"),
    "orange": ((250, 140, 20), "橙色"),
    "purple": ((130, 50, 180), "紫色"),
    "pink": ((250, 150, 190), "粉色"),
    "cyan": ((40, 200, 215), "青色"),
    "brown": ((125, 75, 35), "棕色"),
    "black": ((20, 20, 20), "黑色"),
    "gray": ((135, 135, 135), "灰色"),
}
SHAPES = {
    "circle": "圆形",
    "square": "正方形",
    "triangle": "三角形",
    "star": "五角星",
    "diamond": "菱形",
    "cross": "十字",
    "ring": "圆环",
    "heart": "心形",
}
CALLED = {  # what people say instead; answers keep to SHAPES
    "circle": ("ball|disc|dot|round thing", "圆|圆圈|球|圆球|圆点"),
    "square": ("box|block|cube", "方块|方形|方框|四方形"),
    "triangle": ("triangular thing", "三角"),
    "star": ("five-pointed star", "星星|星形|星|五星"),
    "diamond": ("rhombus|lozenge", "菱形块|钻石形"),
    "cross": ("plus|plus sign", "加号|十字形|十字架"),
    "ring": ("donut|hoop|annulus", "环|圆圈环|圈圈|环形"),
    "heart": ("heart shape|love heart", "爱心|心|桃心"),
}
INKS = [c for c in COLOURS if c not in ("yellow", "pink", "cyan", "gray")]  # readable on a light ground
UNSEEN_PAIRS = {
    ("purple", "star"),
    ("green", "heart"),
    ("orange", "cross"),
    ("cyan", "diamond"),
    ("brown", "triangle"),
    ("blue", "square"),
    ("red", "ring"),
}
PLACES = {
    (0, 0): ("at the top left", "左上方"),
    (1, 0): ("at the top", "上方"),
    (2, 0): ("at the top right", "右上方"),
    (0, 1): ("on the left", "左边"),
    (1, 1): ("in the center", "中间"),
    (2, 1): ("on the right", "右边"),
    (0, 2): ("at the bottom left", "左下方"),
    (1, 2): ("at the bottom", "下方"),
    (2, 2): ("at the bottom right", "右下方"),
}
SIDES = {
    "left": ("to the left of", "左边"),
    "right": ("to the right of", "右边"),
    "above": ("above", "上方"),
    "below": ("below", "下方"),
}
ENDS = {
    "leftmost": ("最左边", "x", False),
    "rightmost": ("最右边", "x", True),
    "topmost": ("最上面", "y", False),
    "bottommost": ("最下面", "y", True),
}
MOVES = {"left": ("to the left", "左"), "right": ("to the right", "右"), "up": ("up", "上"), "down": ("down", "下")}

WORDS = """open close start stop hello world apple banana orange grape coffee tea milk water bread cake sale new hot
cold exit enter push pull left right up down north south east west red blue green book music movie news sport game map
photo mail phone taxi bus train hotel bank shop school park city river sun moon star rain snow wind fire tree flower dog
cat bird fish happy lucky love peace time money free fast slow big small good best menu home help search login name
price total number room gate floor table chair door key today tomorrow monday friday summer winter morning night office
garden market station street bridge airport museum library cinema pizza pasta salad soup rice sugar salt lemon cherry
tomato potato cheese chicken summer sale discount welcome please wait danger keep out no smoking wet
paint parking only entrance private ticket record letter paper window kitchen camera doctor lunch dinner ocean island
mountain""".split()
ZH_WORDS = """开门 关门 出口 入口 欢迎 你好 世界 苹果 香蕉 咖啡 牛奶 面包 蛋糕 新闻 音乐 电影 体育 游戏 地图 照片 邮件 电话 火车 酒店 银行 商店
学校 公园 城市 太阳 月亮 星星 下雨 下雪 春天 夏天 秋天 冬天 快乐 平安 时间 价格 总计 数量 房间 帮助 首页 搜索 登录 设置 开始 停止 打开 关闭
上海 北京 中国 今天 明天 早上 晚上 医院 超市 地铁 机场 图书馆 电影院 洗手间 小心地滑 禁止吸烟 请勿入内 停车场 营业中 打折 特价 菜单 米饭 面条
饺子 茶水 果汁 西瓜 葡萄 草莓 老师 学生 朋友 家人 星期一 星期五 上午 下午 安全 注意 服务 中心 大学 花园""".split()
BUTTONS = [
    "OK",
    "Cancel",
    "Save",
    "Open",
    "Yes",
    "No",
    "Send",
    "Delete",
    "Login",
    "Search",
    "Next",
    "Back",
    "Apply",
    "Close",
    "Help",
    "Edit",
    "Submit",
    "Print",
    "Copy",
    "Share",
    "Sign in",
    "Add",
    "Remove",
    "Reset",
    "Start",
    "Stop",
    "Upload",
    "Download",
]
ZH_BUTTONS = [
    "确定",
    "取消",
    "保存",
    "打开",
    "发送",
    "删除",
    "登录",
    "搜索",
    "下一步",
    "返回",
    "应用",
    "关闭",
    "帮助",
    "编辑",
    "提交",
    "打印",
    "复制",
    "分享",
    "注册",
    "添加",
    "重置",
    "开始",
    "停止",
    "上传",
    "下载",
]
LABELS = ["Name", "Email", "City", "Phone", "User", "Age", "Date", "Code", "Street", "Country", "Title", "Company"]
ZH_LABELS = ["姓名", "邮箱", "城市", "电话", "用户", "年龄", "日期", "编号", "街道", "国家", "标题", "公司"]
VALUES = [
    "Alice",
    "Bob",
    "Carol",
    "David",
    "Emma",
    "Frank",
    "Grace",
    "Henry",
    "London",
    "Paris",
    "Rome",
    "Tokyo",
    "Berlin",
    "Madrid",
    "12",
    "2024",
    "35",
    "Anna",
    "Peter",
    "Oslo",
]
ZH_VALUES = ["小明", "小红", "小刚", "小丽", "北京", "上海", "广州", "深圳", "杭州", "南京", "王芳", "李伟", "25", "2024"]
TITLES = [
    "Settings",
    "Login",
    "Search",
    "Contact",
    "Order",
    "Profile",
    "Upload",
    "Message",
    "Options",
    "Account",
    "Register",
    "Booking",
]
ZH_TITLES = ["设置", "登录", "搜索", "联系人", "订单", "个人资料", "上传", "消息", "选项", "账户", "注册", "预订"]
CHECKS = ["Remember", "Agree", "Newsletter", "Dark mode", "Sound", "Wi-Fi"]
ZH_CHECKS = ["记住我", "同意", "订阅", "深色模式", "声音", "无线网"]
MENUS = ["File", "Edit", "View", "Tools", "Help", "Insert", "Format"]
ZH_MENUS = ["文件", "编辑", "视图", "工具", "帮助", "插入", "格式"]
SERIES = [
    list("ABCDEFGH"),
    list("PQRSTUVW"),
    list("STUVWXYZ"),
    ["Q1", "Q2", "Q3", "Q4", "Q5", "Q6", "Q7", "Q8"],
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug"],
    ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
    ["2019", "2020", "2021", "2022", "2023", "2024", "2025", "2026"],
    ["Tea", "Milk", "Rice", "Fish", "Cake", "Soup", "Salt", "Corn"],
    ["Anna", "Bob", "Carl", "Dora", "Emil", "Finn", "Gina", "Hugo"],
    ["Red", "Oak", "Pine", "Elm", "Ash", "Fir", "Yew", "Bay"],
    ["Apples", "Pears", "Plums", "Grapes", "Figs", "Melons", "Kiwis", "Dates"],
    ["North", "South", "East", "West", "Center"],
    ["Sales", "IT", "HR", "Legal", "Support", "Design", "Press"],
    ["Paris", "Rome", "Oslo", "Tokyo", "London", "Berlin", "Madrid", "Lima"],
    ["Cats", "Dogs", "Birds", "Fish", "Cows", "Bees"],
    ["Bus", "Car", "Train", "Bike", "Walk", "Taxi"],
]
ZH_SERIES = [
    ["甲", "乙", "丙", "丁", "戊", "己", "庚", "辛"],
    ["一月", "二月", "三月", "四月", "五月", "六月", "七月", "八月"],
    ["北京", "上海", "广州", "深圳", "杭州", "南京", "天津", "成都"],
    ["苹果", "香蕉", "葡萄", "西瓜", "草莓", "桃子", "梨", "橙子"],
    ["周一", "周二", "周三", "周四", "周五", "周六", "周日"],
    ["语文", "数学", "英语", "物理", "化学", "历史", "音乐"],
    ["小明", "小红", "小刚", "小丽", "小华", "小强"],
]
COLUMNS = ["Price", "Count", "Age", "Score", "Total", "Size", "Year", "Weight", "Rank", "Stock"]
ZH_COLUMNS = ["单价", "数量", "年龄", "分数", "总计", "尺寸", "年份", "重量", "排名", "库存"]
CHART_TITLES = """Sales|Revenue|Visitors|Results|Sales by month|Units sold|Monthly report|Temperature|Votes|Population|Score|
Profit|Orders|Exports|Survey results|Sales 2024|Points|Downloads|Customers|Rainfall|Fruit sales|Number of users|
Costs|Energy use|Production""".replace("\n", "").split("|")
ZH_CHART_TITLES = "销量|收入|访问量|结果|月度销售|成绩|气温|投票结果|人口|利润|订单数|调查结果|产量|用户数|水果销量|降雨量|销售额".split("|")
BUTTONS += """Accept|Decline|Continue|Finish|Export|Import|Refresh|Settings|New|Undo|Redo|Find|Replace|Pay|Buy now|Sign up|
Log out|Update|Install|Skip|Retry|View|Filter|Sort|Connect|Register|Browse|Play|Pause|Order|Book|Confirm""".replace(
    "\n", ""
).split("|")
ZH_BUTTONS += "接受|拒绝|继续|完成|导出|导入|刷新|设置|新建|撤销|查找|替换|付款|购买|退出|更新|安装|跳过|重试|查看|筛选|排序|连接|播放|暂停|预订|确认|浏览".split("|")
LABELS += "Price|Amount|Order|Room|Guests|Password|Address|Note|Subject|Time|Size|Color|Quantity|Last name|Zip code".split("|")
ZH_LABELS += "价格|金额|订单|房间|人数|密码|地址|备注|主题|时间|尺寸|颜色|数量|邮编|性别".split("|")
VALUES += "Maria|James|Lisa|Tom|Vienna|Lisbon|Athens|Dublin|Boston|Chicago|Blue|Green|Large|Small|Monday|Friday|10:30|99.50".split("|")
ZH_VALUES += "张伟|刘洋|陈静|成都|武汉|西安|天津|红色|蓝色|大号|小号|星期一|星期五|10:30".split("|")
TITLES += "Payment|Download|Print|Save file|Preferences|Network|Security|Calendar|Feedback|New order|Sign in|Checkout".split("|")
ZH_TITLES += "付款|下载|打印|保存文件|偏好设置|网络|安全|日历|反馈|新订单|结账|通知".split("|")
CHECKS += "Notifications|Auto save|Bluetooth|Full screen|Show grid|Updates|Gift wrap|Express|Location|Backup".split("|")
ZH_CHECKS += "通知|自动保存|蓝牙|全屏|显示网格|自动更新|礼品包装|加急|定位|备份".split("|")
NODES = """Start|End|Input|Output|Login|Check|Save|Server|Client|User|Cache|Queue|Store|Web|API|Mail|Test|Build|Deploy|Plan|
Buy|Pay|Ship|Read|Write|Data|Model|Train|Load|Parse|Send|Done|Error|Retry|Yes|No|Order|Stock|Phone|Router""".replace(
    "\n", ""
).split("|")
ZH_NODES = "开始|结束|输入|输出|登录|检查|保存|服务器|客户端|用户|缓存|队列|仓库|邮件|测试|构建|部署|计划|购买|付款|发货|读取|写入|数据|模型|训练|加载|发送|完成|错误|订单".split("|")


def held_out(text, one_in=8):
    """Whether this text belongs to the validation set: the same answer on every machine, since crc32 has no seed."""
    return zlib.crc32(text.encode()) % one_in == 0


def is_chinese(text):
    return any(ord(c) > 0x2E80 for c in text)


def zh_pair(colour, shape):
    return COLOURS[colour][1] + SHAPES[shape]


def colour_name(colour, language):
    return colour if language == "en" else COLOURS[colour][1]


def shape_name(shape, language):
    return shape if language == "en" else SHAPES[shape]


def name_of(thing, language):
    return f"{thing['colour']} {thing['shape']}" if language == "en" else zh_pair(thing["colour"], thing["shape"])


def article(noun):
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def plural(shape):
    return "crosses" if shape == "cross" else shape + "s"
