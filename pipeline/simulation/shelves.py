"""The category tree of the simulated shop: top categories and their sub-categories, busiest first."""

# Shelves of unequal size. Names that are not ASCII are usual in the field, so the demo has them too.
SHELVES = {
    "clothing": (
        "dresses jeans t-shirts jackets shirts sweaters skirts shorts coats socks underwear swimwear "
        "suits scarves belts gloves hats 旗袍"
    ),
    "phones": (
        "smartphones cases chargers screen-protectors earphones power-banks cables holders "
        "feature-phones selfie-sticks memory-cards 手机配件 repair-parts refurbished"
    ),
    "home": (
        "bedding lamps curtains storage rugs cookware Küche towels mirrors cushions candles clocks "
        "vases photo-frames wall-art mattresses"
    ),
    "shoes": "sneakers boots sandals heels loafers slippers running-shoes school-shoes insoles laces 布鞋",
    "electronics": (
        "headphones laptops televisions tablets cameras speakers monitors keyboards mice printers "
        "routers drones smart-watches projectors graphics-cards"
    ),
    "美妆": "口红 面霜 香水 面膜 粉底 眼影 洗发水 护手霜 指甲油 防晒 化妆刷",
    "sports": "yoga fitness camping vélo football swimming fishing climbing tennis skiing golf table-tennis archery",
    "toys": "building-blocks dolls puzzles model-cars board-games plush remote-control outdoor-toys slime 积木 kites",
    "grocery": "coffee snacks 茶叶 noodles chocolate olive-oil rice honey spices baby-food pâtés nuts",
    "books": "fiction children textbooks cooking history comics travel art self-help science 小说",
    "garden": "plants pots tools hoses furniture barbecues seeds lighting fertiliser greenhouses",
    "pets": "dog-food cat-food cat-litter leashes aquariums dog-toys birdcages hamsters reptiles",
}

# What an item of the shelf costs, in the middle.
PRICES = {
    "clothing": 30, "phones": 45, "home": 35, "shoes": 50, "electronics": 150, "美妆": 18,
    "sports": 40, "toys": 20, "grocery": 6, "books": 13, "garden": 28, "pets": 15,
}  # fmt: skip


def category_tree() -> list[tuple[str, list[str]]]:
    """The tree as (top, its sub-categories), busiest first; a sub-category is named ``top/sub``."""
    return [(top, [f"{top}/{sub}" for sub in subs.split()]) for top, subs in SHELVES.items()]
