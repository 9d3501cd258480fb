#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# xvfb.sh [-s WxH] [-w] COMMAND... - runs COMMAND with a display, a home folder and a session bus of
# its own, and takes them away afterwards.  -w keeps the home folder that $GESSO_TEST_HOME names.
#
# Exits as COMMAND does.  Without Xvfb or dbus-run-session it prints a TAP plan of no tests that says so, which
# Meson counts as skipped.
size=1400x900
keep=no
while getopts s:w option; do
  case $option in
    s) size=$OPTARG ;;
    w) keep=yes ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
for program in Xvfb dbus-run-session; do
  command -v $program >/dev/null || { echo "1..0 # SKIP $program is not installed"; exit 0; }
done

# What GStreamer has found out about its plugins is the machine's: each new home folder would look at them all again.
export GST_REGISTRY=${GST_REGISTRY:-${XDG_CACHE_HOME:-$HOME/.cache}/gstreamer-1.0/registry.$(uname -m).bin}

scratch=$(mktemp -d)
if [ "$keep" = yes ] && [ -n "$GESSO_TEST_HOME" ]; then
  export HOME=$GESSO_TEST_HOME
else
  export HOME=$scratch/home
fi
export XDG_RUNTIME_DIR=$scratch/run XDG_CONFIG_HOME=$HOME/.config XDG_DATA_HOME=$HOME/.local/share
export XDG_CACHE_HOME=$HOME/.cache XDG_STATE_HOME=$HOME/.local/state
mkdir -p "$XDG_CONFIG_HOME/gtk-4.0" "$XDG_DATA_HOME" "$XDG_CACHE_HOME" "$HOME/Pictures"
mkdir -m 700 "$XDG_RUNTIME_DIR"
cat > "$XDG_CONFIG_HOME/gtk-4.0/settings.ini" <<SETTINGS
[Settings]
gtk-font-name=Cantarell 11
gtk-enable-animations=false
gtk-cursor-blink=false
gtk-hint-font-metrics=1
SETTINGS

# The server picks a free display itself and writes its number when it takes connections.  It must not
# begin anew when its last client leaves: who connects at that moment would find no display.
mkfifo "$scratch/display"
Xvfb -displayfd 3 -screen 0 "${size}x24" +extension GLX -nolisten tcp -noreset 3<>"$scratch/display" \
  >"$scratch/xvfb.log" 2>&1 &
server=$!
finish () {
  kill $server 2>/dev/null
  wait $server 2>/dev/null
  rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM
read -r -t 30 number <>"$scratch/display" || { cat "$scratch/xvfb.log" >&2; exit 1; }
export DISPLAY=:$number

export GDK_BACKEND=x11 GSK_RENDERER=${GSK_RENDERER:-cairo} GSETTINGS_BACKEND=${GSETTINGS_BACKEND:-memory}
export ADW_DISABLE_PORTAL=1 GTK_USE_PORTAL=0 LANG=${GESSO_TEST_LANG:-C.UTF-8} NO_AT_BRIDGE=0
unset WAYLAND_DISPLAY DBUS_SESSION_BUS_ADDRESS
# In C.UTF-8 glibc 2.41 does not ask for LANGUAGE (2.36 does): here that locale has the language's name.
plain=/usr/lib/locale/C.utf8
if [ -n "$LANGUAGE" ] && [ "$LANG" = C.UTF-8 ] && [ -d $plain ]; then
  export LOCPATH=$scratch/locale LANG=${LANGUAGE%%:*}.UTF-8
  mkdir "$LOCPATH"
  ln -s $plain "$LOCPATH/$LANG"
fi

# Set-up noise of the bus daemon and of what it starts is no output of the test: COMMAND's output goes past it.
dbus-run-session -- bash -c 'exec "$@" >&4 4>&-' bash "$@" 4>&1 >/dev/null \
  2> >(grep -vE 'dbus-daemon|xdg-desktop-portal|SpiRegistry|max threads' >&2)
