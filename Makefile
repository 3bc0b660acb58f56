# `make` alone lists what there is. The text after `##` is what it shows.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run reload test test-slow test-repeat test-openapi test-browser test-demo console test-rotation test-ha test-ha-short test-restore soak soak-short test-client test-deploy test-image image examples bench bench-scale bench-isolation bench-peers check fmt messages migrate lock sbom audit docs test-docs

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Tools that renew and examine the requirements. They have a virtual environment of their own.
TOOLS := var/tools
TOOL_PINS := uv==0.13.9 cyclonedx-bom==7.5.0 pip-audit==2.10.1
LOCK := $(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $(ARGS)

# The folders of tests that need no database server of their own.
TESTED_WITH_CITUS := $(addprefix tests/,citus services api admin dialects cli doctor errors metrics monitoring website test_identity_fast_path.py)

help: ## List these commands / 列出所有命令
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1	\2/'

setup: $(VENV)/.installed ## Make .venv and install what the service needs / 创建 .venv 并安装依赖
	@echo "$(VENV) is ready / $(VENV) 已就绪"

# `exec`, so that it is Python that make sends signals to, and no shell is left in between.
run: $(VENV)/.installed ## Run database, WeChat simulator and service / 启动数据库、微信模拟器和服务
	@exec $(BIN)/python -m config.development.run

reload: $(VENV)/.installed ## Replace the processes of a running gunicorn without a gap; needs GUNICORN_PIDFILE / 无中断地替换正在运行的 gunicorn 进程，需设置 GUNICORN_PIDFILE
	@exec $(BIN)/python -m config.reload $(ARGS)

migrate: $(VENV)/.installed ## Bring the database up to date / 执行数据库迁移
	@exec $(BIN)/python -m flask --app wsgi db upgrade

test: $(VENV)/.installed-dev ## Run the tests, without the slow ones / 运行测试（不含慢测试）
	@exec $(BIN)/python -m pytest -m "not slow"

test-slow: $(VENV)/.installed-dev ## Run the slow tests: processes, migrations, many rows / 运行慢测试：进程、迁移、大量数据
	@exec $(BIN)/python -m pytest -m slow

test-citus: export CITUS_URL := $(CITUS_URL)
test-citus: $(VENV)/.installed-dev ## Run the tests on a database that is distributed with Citus: make test-citus CITUS_URL=postgresql://…; it is emptied / 在 Citus 分布式数据库上运行测试，该数据库会被清空
	@: "$(or $(CITUS_URL),$(error CITUS_URL is not set: the address of an empty database on the coordinator / 未设置 CITUS_URL：协调节点上空数据库的地址))"
ifdef ARGS
	@$(BIN)/python -m pytest -n 0 $(ARGS)
else
	@$(BIN)/python -m pytest -n 0 -m "not slow" $(TESTED_WITH_CITUS)
	@$(BIN)/python -m pytest -n 0 tests/properties/test_interleavings.py
endif

test-repeat: $(VENV)/.installed-dev ## Run the tests N times, each from a new seed: make test-repeat N=20 / 每次使用新的随机种子，重复运行测试 N 次
	@exec $(BIN)/python -m tests.repeat --times "$(or $(N),20)" $(if $(SEED),--seed "$(SEED)") -- $(ARGS)

test-openapi: $(VENV)/.installed-dev ## Send 2,000 generated requests and compare the responses with OpenAPI / 发送 2000 个自动生成的请求，核对响应与 OpenAPI 是否一致
	@exec env OPENAPI_CASES=2000 $(BIN)/python -m pytest -n 0 tests/properties/openapi

test-browser: $(VENV)/.installed-dev ## Use the website and the console with a real Chromium; pictures in var/screenshots / 用真实的 Chromium 操作网站与控制台并截图
	@exec env CHROMIUM=/usr/bin/chromium $(BIN)/python -m pytest -n 0 tests/browser

test-demo: $(VENV)/.installed-dev ## Compile the demo phone and play its scenes in a real Chromium, and check the copy of Swagger UI and the built files of the console; needs Node.js and npm / 编译演示手机并在真实的 Chromium 中播放所有场景，并核对 Swagger UI 副本和控制台的构建文件，需要 Node.js 和 npm
	@cd clients/demo && npm ci --no-audit --no-fund --loglevel=error && npm run --silent check
	@cd clients/explorer && npm ci --no-audit --no-fund --loglevel=error && npm run --silent check
	@cd clients/console && npm ci --no-audit --no-fund --loglevel=error && npm run --silent check
	@exec env CHROMIUM=/usr/bin/chromium $(BIN)/python -m pytest -n 0 tests/demo

console: ## Build style sheets, scripts and icons of the console into app/admin/console/static; needs Node.js and npm / 构建控制台的样式、脚本和图标，输出到 app/admin/console/static，需要 Node.js 和 npm
	@cd clients/console && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build

test-rotation: $(VENV)/.installed-dev ## Change the key of 200,000 rows while people log in / 登录不中断地轮换 20 万行数据的密钥
	@exec env ROTATION_ROWS=200000 $(BIN)/python -m pytest -n 0 tests/services/encryption/test_key_rotation.py -k logins_succeed_during_key_rotation

test-ha: $(VENV)/.installed-dev ## Break each part of a PostgreSQL cluster while people log in; table in var/ha / 登录不中断，逐一破坏 PostgreSQL 集群的各个部分
	@exec $(BIN)/python -m tests.ha $(ARGS)

test-ha-short: $(VENV)/.installed-dev ## The four most important faults of test-ha / 只测 test-ha 中最重要的四种故障
	@exec $(BIN)/python -m tests.ha --short

soak: $(VENV)/.installed-dev ## An hour of mixed load with faults in production mode: lost logins, errors, memory; table in var/soak; needs nginx / 生产模式下混合负载运行一小时并注入故障：丢失的登录、错误、内存；结果在 var/soak，需要 nginx
	@exec $(BIN)/python -m tests.soak $(ARGS)

soak-short: $(VENV)/.installed-dev ## Each fault of soak once, in five minutes; the memory is not judged / soak 的每种故障各一次，约五分钟，不评判内存
	@exec $(BIN)/python -m tests.soak --short

test-restore: $(VENV)/.installed-dev ## Back up, restore on a new server and go back in time, with Debian's PostgreSQL and pgBackRest / 备份、在新服务器上恢复，并恢复到指定时间点
	@exec env TEST_RESTORE=1 $(BIN)/python -m pytest -n 2 tests/restore

test-client: $(VENV)/.installed-dev ## Test the mini-program client against the service; needs Node.js and npm / 对真实服务测试小程序客户端，需要 Node.js 和 npm
	@echo "Installing what the client's tests need / 正在安装客户端测试工具 ..."
	@cd clients/miniprogram && npm ci --no-audit --no-fund --loglevel=error
	@cd clients/examples && npm ci --no-audit --no-fund --loglevel=error
	@echo "Checking the examples / 正在检查示例 ..."
	@cd clients/examples && npm run --silent check
	@cd clients/miniprogram && exec npm test --silent

test-deploy: $(VENV)/.installed-dev ## Check the files in deploy/ with hadolint, docker-compose, systemd-analyze, nginx and others / 用 hadolint、docker-compose、systemd-analyze、nginx 等工具检查 deploy/ 中的文件
	@exec env TEST_DEPLOY=1 $(BIN)/python -m pytest -n 0 tests/deploy/tools

test-image: $(VENV)/.installed-dev ## Build the container image without a registry and start it; needs root, mmdebstrap and buildah / 不使用镜像仓库构建并启动容器镜像，需要 root 权限、mmdebstrap 和 buildah
	@exec env TEST_IMAGE=1 $(BIN)/python -m pytest -n 0 --capture=no tests/deploy/image

image: ## Build the container image wxpass with Docker; other programs with DOCKER=podman / 用 Docker 构建容器镜像 wxpass，其他工具用 DOCKER=podman 指定
	@version=$$(sed -n 's/^VERSION = "\(.*\)"/\1/p' app/version.py) && \
	exec $(or $(DOCKER),docker) build --file deploy/Dockerfile --tag wxpass --tag "wxpass:$$version" \
	  --build-arg "VERSION=$$version" --build-arg "REVISION=$$(git rev-parse HEAD)" $(ARGS) .

examples: ## Build the uni-app and Taro examples; needs npm and 700 MB of disk / 构建 uni-app 与 Taro 示例，需要 npm 和 700 MB 磁盘
	@for example in uni-app taro; do \
	  echo "Building clients/examples/$$example / 正在构建 clients/examples/$$example ..."; \
	  (cd clients/examples/$$example && npm install --no-audit --no-fund --loglevel=error && NODE_ENV=production npm run --silent build) || exit 1; \
	done

bench: $(VENV)/.installed ## Measure the service next to a bare Flask view, and what an overloaded tenant costs the others; tables in var/bench / 测量性能和租户过载的影响，与空白 Flask 视图对比
	@$(BIN)/python -m tests.bench
	@exec $(BIN)/python -m tests.bench.isolation

bench-isolation: $(VENV)/.installed-dev ## Measure what an overloaded tenant costs the others; table in var/bench / 测量一个过载租户对其他租户的影响
	@exec $(BIN)/python -m tests.bench.isolation $(ARGS)

bench-scale: $(VENV)/.installed ## Measure costs per user and request with 10 thousand, 1 million and 10 million users; needs 45 GB of disk. Others: SCALE_USERS="10000 200000"; more with ARGS=--help / 在 1 万、100 万、1000 万用户下测量每个用户和请求的开销，需 45 GB 磁盘；其他规模：SCALE_USERS="10000 200000"，更多选项见 ARGS=--help
	@exec $(BIN)/python -m tests.bench.scale $(if $(SCALE_USERS),--users $(SCALE_USERS)) $(ARGS)

bench-peers: $(VENV)/.installed ## Measure the service next to better-auth and wafer-node-session; needs Node.js and npm / 与 better-auth、wafer-node-session 对比测量，需要 Node.js 和 npm
	@exec $(BIN)/python -m tests.bench.peers $(ARGS)

docs: $(VENV)/.installed ## Build the documentation site into var/guide / 生成文档网站到 var/guide
	@exec $(BIN)/python -m config.documentation

test-docs: docs $(VENV)/.installed-dev ## Check the site, and run the examples and commands of the documentation; needs Node.js, npm and Go / 检查文档网站，并运行文档中的示例与命令，需要 Node.js、npm 和 Go
	@cd examples/node && npm ci --no-audit --no-fund --loglevel=error
	@exec env TEST_DOCS=1 $(BIN)/python -m pytest -n 2 tests/docs

# The service, and the fixtures and drivers that its tests share.
check: $(VENV)/.installed-dev ## Check style and types, then run the tests / 检查代码风格与类型并运行测试
	@echo "Checking style / 检查代码风格 ..."
	@$(BIN)/python -m ruff check --quiet .
	@$(BIN)/python -m ruff format --quiet --check . || { echo "Not formatted; run: make fmt"; exit 1; }
	@echo "Checking types / 检查类型 ..."
	@$(BIN)/python -m mypy --strict
	@echo "Running the tests / 运行测试 ..."
	@exec $(BIN)/python -m pytest -m "not slow"

fmt: $(VENV)/.installed-dev ## Format the code / 格式化代码
	@$(BIN)/python -m ruff check --quiet --fix-only .
	@$(BIN)/python -m ruff format .

messages: $(VENV)/.installed ## Compile the Chinese messages after a change / 编译修改后的中文消息
	@exec $(BIN)/pybabel --quiet compile --directory app/translations --domain 'messages openapi'

lock: $(TOOLS)/.installed ## Pin the requirements from the .in files, newer versions with ARGS=--upgrade / 根据 .in 文件重新锁定依赖，ARGS=--upgrade 升级版本
	@$(LOCK) requirements.in -o requirements.txt
	@$(LOCK) requirements-tracing.in -o requirements-tracing.txt
	@$(LOCK) requirements-dev.in -o requirements-dev.txt
	@$(LOCK) requirements-docs.in -o requirements-docs.txt

sbom: $(TOOLS)/.installed ## Write a CycloneDX bill of materials to var/sbom.json / 生成 CycloneDX 软件物料清单 var/sbom.json
	@printf '[project]\nname = "wxpass"\nversion = "%s"\nlicense = "Apache-2.0"\n' \
	  "$$(sed -n 's/^VERSION = "\(.*\)"/\1/p' app/version.py)" > $(TOOLS)/pyproject.toml
	@$(TOOLS)/bin/cyclonedx-py requirements --pyproject $(TOOLS)/pyproject.toml --output-reproducible \
	  --output-format JSON -o var/sbom.json requirements.txt
	@echo "var/sbom.json"

# An audit without an answer about every package must not look like one that found nothing.
audit: $(TOOLS)/.installed ## Look up the requirements in the vulnerability database of PyPI / 在 PyPI 漏洞库中检查依赖
	@$(TOOLS)/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
	  -r requirements.txt -r requirements-tracing.txt -r requirements-dev.txt -r requirements-docs.txt 2>var/audit.log; status=$$?; \
	if grep -E '^(No known vulnerabilities found|Found [0-9]+ known)' var/audit.log; then exit $$status; fi; \
	tail -n 1 var/audit.log; \
	echo "NOT AUDITED: offline, or the vulnerability database has no answer. Details: var/audit.log"; \
	echo "未完成审计：网络不可用，或漏洞库未应答。详情见 var/audit.log"; exit 1

# The stamps are written last, so an interrupted setup is done again.
$(VENV)/.installed: requirements.txt
	@$(BIN)/python -c 'import pip; $(NEW_ENOUGH)' 2>/dev/null || { \
	  $(PYTHON) -c '$(NEW_ENOUGH)' 2>/dev/null || { \
	    echo "Python 3.11 or newer is needed, and '$(PYTHON)' is not. Name one: make setup PYTHON=python3.12"; \
	    echo "需要 Python 3.11 或更高版本，请指定：make setup PYTHON=python3.12"; exit 1; }; \
	  echo "Making $(VENV) / 正在创建 $(VENV) ..."; \
	  $(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); \
	    echo "'$(PYTHON) -m venv' failed. On Debian and Ubuntu: apt install python3-venv"; \
	    echo "创建虚拟环境失败。Debian/Ubuntu 请执行：apt install python3-venv"; exit 1; }; }
	@echo "Installing what the service needs / 正在安装依赖 ..."
	@$(PIP) --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@echo "Installing what tests and checks need / 正在安装测试与检查工具 ..."
	@$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@

$(TOOLS)/.installed: Makefile
	@echo "Installing the tools for requirements / 正在安装依赖管理工具 ..."
	@$(PYTHON) -m venv --clear $(TOOLS)
	@$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check $(TOOL_PINS)
	@touch $@
