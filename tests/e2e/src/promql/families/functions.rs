//! Functions of instant vectors.

use super::super::template::Template;

pub const MATH: &[Template] = &[
    Template(
        "<f>(<m>)",
        &[
            (
                "f",
                &[
                    "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos",
                    "cosh", "deg", "exp", "floor", "ln", "log10", "log2", "rad", "round", "sgn",
                    "sin", "sinh", "sqrt", "tan", "tanh", "-", "+",
                ],
            ),
            ("m", &["temperature", "odd", "constant / 1e8", "huge", "subnormal"]),
        ],
    ),
    Template(
        "clamp(<m>, <min>, <max>)",
        &[
            ("m", &["temperature", "odd"]),
            ("min", &["-5", "20", "NaN", "-Inf"]),
            ("max", &["20", "5", "Inf"]),
        ],
    ),
    Template(
        "<f>(<m>, <bound>)",
        &[
            ("f", &["clamp_min", "clamp_max"]),
            ("m", &["temperature", "odd"]),
            ("bound", &["19.5", "NaN", "scalar(temperature{room=\"bath\",floor=\"1\"})"]),
        ],
    ),
    Template(
        "round(<m>, <to>)",
        &[("m", &["temperature", "odd"]), ("to", &["0.5", "10", "0.03", "-2", "0", "NaN"])],
    ),
];

pub const TIMES: &[Template] = &[
    Template(
        "<f>(<v>)",
        &[
            (
                "f",
                &[
                    "minute",
                    "hour",
                    "day_of_week",
                    "day_of_month",
                    "day_of_year",
                    "days_in_month",
                    "month",
                    "year",
                ],
            ),
            (
                "v",
                &[
                    "",
                    "vector(time())",
                    "vector(0)",
                    "vector(-1)",
                    "vector(951782400)",
                    "vector(4107542399.5)",
                    "constant",
                    "temperature * 1e7",
                    "node_boot_time_seconds",
                ],
            ),
        ],
    ),
    Template(
        "timestamp(<v>)",
        &[(
            "v",
            &[
                "temperature",
                "(temperature)",
                "temperature offset 2m",
                "temperature @ end()",
                "stale",
                "gappy",
                "temperature + 0",
                "timestamp(temperature)",
                "sum(temperature)",
                "vector(3)",
            ],
        )],
    ),
    Template(
        "<f>",
        &[(
            "f",
            &[
                "time()",
                "time() - 1709164800",
                "vector(time())",
                "-time()",
                "scalar(vector(time() % 7))",
                "pi() * 2",
                "vector(pi())",
            ],
        )],
    ),
];

pub const LABELS: &[Template] = &[
    Template(
        "label_replace(requests_total, \"<to>\", \"<value>\", \"<from>\", \"<regex>\")",
        &[
            ("to", &["job", "fresh"]),
            ("value", &["x-$1", "${1}y", "$1$2", "", "$$1", "fixed"]),
            ("from", &["code", "absent"]),
            ("regex", &["(.)(.*)", "4.*", "()", ".*"]),
        ],
    ),
    Template(
        "label_replace(temperature, \"<to>\", \"$<group>\", \"room\", \"(?P<group>.)(?P<rest>.*)\")",
        &[("to", &["first", "floor"]), ("group", &["initial"])],
    ),
    Template(
        "label_replace(left, \"x\", \"same\", \"y\", \"<regex>\")",
        &[("regex", &["a", ".*", "z"])],
    ),
    Template(
        "label_join(<m>, \"<to>\", \"<between>\", <from>)",
        &[
            ("m", &["requests_total", "left"]),
            ("to", &["joined", "job"]),
            ("between", &["-", "", "::"]),
            ("from", &["\"job\"", "\"job\", \"code\"", "\"x\", \"absent\", \"y\""]),
        ],
    ),
    Template("label_join(left, \"joined\", \",\")", &[]),
    Template(
        "label_replace(<m>, \"__name__\", \"renamed\", \"__name__\", \".*\")",
        &[("m", &["temperature", "rate(requests_total[5m])"])],
    ),
];

/// Their order is compared.
pub const SORTING: &[Template] = &[
    Template(
        "<f>(<m>)",
        &[
            ("f", &["sort", "sort_desc"]),
            (
                "m",
                &[
                    "temperature",
                    "odd",
                    "rate(requests_total[5m])",
                    "left + 0.1 * right",
                    "nothing",
                    "bytes_total",
                ],
            ),
        ],
    ),
    Template(
        "<f>(<k>, <m>)",
        &[
            ("f", &["topk", "bottomk"]),
            ("k", &["1", "3", "100", "2.9"]),
            ("m", &["temperature", "odd", "rate(bytes_total[5m])"]),
        ],
    ),
];

pub const ABSENCE: &[Template] = &[
    Template(
        "absent(<v>)",
        &[(
            "v",
            &[
                "nothing",
                "temperature",
                "nothing{a=\"b\"}",
                "nothing{a=\"b\",c=~\"d\",e!=\"f\"}",
                "nothing{a=\"b\",a=\"c\"}",
                "{a=\"b\"}",
                "sum(nothing)",
                "stale{case=\"pause\"}",
                "gappy{case=\"once\"} offset 3m",
                "nothing{a=\"b\"} or nothing{c=\"d\"}",
                "temperature > 1000",
                "rate(nothing{job=\"x\"}[5m])",
            ],
        )],
    ),
    Template(
        "absent_over_time(<v>)",
        &[(
            "v",
            &[
                "nothing{a=\"b\"}[5m]",
                "temperature[5m]",
                "stale{case=\"pause\"}[2m]",
                "gappy{case=\"late\"}[4m]",
                "gappy{case=\"very_sparse\"}[2m]",
                "nothing{a=~\"b\",c=\"d\"}[5m:1m]",
                "(gappy{case=\"twice\"} > 0)[4m:30s]",
            ],
        )],
    ),
    Template(
        "scalar(<v>)",
        &[(
            "v",
            &[
                "temperature",
                "nothing",
                "gappy{case=\"long\"}",
                "sum(temperature)",
                "undefined",
                "constant{instance=\"a\"}",
            ],
        )],
    ),
    Template("vector(scalar(<v>))", &[("v", &["gappy{case=\"long\"}", "temperature"])]),
];
