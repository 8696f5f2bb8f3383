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
    list("ABCDE"),
    list("PQRST"),
    list("VWXYZ"),
    ["Q1", "Q2", "Q3", "Q4", "Q5"],
    ["Jan", "Feb", "Mar", "Apr", "May"],
    ["Mon", "Tue", "Wed", "Thu", "Fri"],
    ["2019", "2020", "2021", "2022", "2023"],
    ["Tea", "Milk", "Rice", "Fish", "Cake"],
    ["Anna", "Bob", "Carl", "Dora", "Emil"],
    ["Red", "Oak", "Pine", "Elm", "Ash"],
]
ZH_SERIES = [
    ["甲", "乙", "丙", "丁", "戊"],
    ["一月", "二月", "三月", "四月", "五月"],
    ["北京", "上海", "广州", "深圳", "杭州"],
    ["苹果", "香蕉", "葡萄", "西瓜", "草莓"],
]


def held_out(text, one_in=8):
    """Whether this text belongs to the validation set: the same answer on every machine, since crc32 has no seed."""
    return zlib.crc32(text.encode()) % one_in == 0


def is_chinese(text):
    return any(ord(c) > 0x2E80 for c in text)


def zh_pair(colour, shape):
    return COLOURS[colour][1] + SHAPES[shape]


def article(noun):
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def plural(shape):
    return "crosses" if shape == "cross" else shape + "s"
