"""A schema with a feature of most roles."""

SMALL = """
represent_variable_length_as_ragged: true
feature { name: "q" type: BYTES shape {} annotation { tag: "scope:request" tag: "role:request_id" } }
feature { name: "t" type: INT shape {} annotation { tag: "scope:request" tag: "role:timestamp" } }
feature { name: "leaf" type: BYTES shape {} annotation { tag: "scope:request" tag: "role:category" tag: "level:2" } }
feature { name: "top" type: BYTES shape {} annotation { tag: "scope:request" tag: "role:category" tag: "level:1" } }
feature { name: "past" type: BYTES annotation { tag: "scope:request" tag: "role:history" tag: "of:brand" } }
feature { name: "item" type: BYTES annotation { tag: "scope:item" tag: "role:item_id" } }
feature { name: "brand" type: BYTES annotation { tag: "scope:item" tag: "role:categorical" tag: "min_count:3" } }
feature { name: "price" type: FLOAT float_domain { min: 0 }
          annotation { tag: "scope:item" tag: "role:numeric" tag: "scale:log" } }
feature { name: "grade" type: INT int_domain { min: 0 max: 2 } annotation { tag: "scope:item" tag: "role:label" } }
"""
