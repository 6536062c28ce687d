"""What names of columns, of events and of splits say."""

REQUEST = r"request|query|search|impression|serp|qid|basket|order|list|session|visit"
ITEM = "item|product|sku|asin|article|goods|wid|pid|document|doc|listing|offer"
USER = "user|customer|visitor|household|member|client|buyer|uid|shopper"
TIME = "time|timestamp|date|datetime|ts|day|created|at"
CLICK = "click|clicked|is_click|tap"
LABEL = rf"{CLICK}|purchase|purchased|buy|bought|order|ordered|cart|label|conversion|converted|relevance|grade|interest"
BOUGHT = "purchase|basket|order|transaction|sale|receipt|invoice"
EVENT = "event|action|behaviou?r|type|event_type|label|interest"
POSITION = "position|pos|rank|slot|place"
CATEGORY = "category|cat|cate|department|dept|shelf|class|aisle|section|taxonomy|topic|genre|vertical|type|code"
# What has numbers for names, unless its name says that it counts or measures.
NAMED_BY_NUMBER = f"id|code|no|zip|level|brand|shop|store|seller|manufacturer|maker|vendor|colou?r|gender|{CATEGORY}"
MEASURE = "overlap|count|length|popularity|num|rate|score|price|share|age|size|amount|value|quantity|sales|stock"
HISTORY = "history|hist|past|previous|recent|last|sequence|seq|behaviou?r"
GRADES = (  # of events, from nothing to the strongest sign of interest
    ("view", "impression", "show", "shown", "display", "pv", "none", "exposure"),
    ("click", "detail", "open", "tap"),
    ("fav", "favorite", "favourite", "collect", "like", "wishlist", "save"),
    ("cart", "add_to_cart", "addtocart", "add"),
    ("purchase", "buy", "order", "transaction", "bought", "conversion"),
)
SPLITS = {"train": "train", "training": "train", "valid": "valid", "validation": "valid", "val": "valid",
           "dev": "valid", "test": "test", "eval": "test"}  # fmt: skip
PATH_SEPARATORS = (" > ", ">", "/", "|", ".", ":")
STRICT = 0.95  # the share of rows in which a lower level must have its usual parent
SMALLEST_OVERLAP = 0.3  # of a log's ids that a table must know
