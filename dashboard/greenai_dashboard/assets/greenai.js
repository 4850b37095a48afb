/* Cell renderers of the table of runs, the clientside callbacks, and the colour scheme. No library, no eval. */
(function () {
    'use strict';

    var element = function () {
        return window.React.createElement.apply(window.React, arguments);
    };

    /* Cells. Text goes in as text, never as HTML: names come from users. */
    var cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});

    cells.GreenaiName = function (props) {
        if (!props.data) {
            return element('span', { className: 'muted' }, '…');
        }
        return element('a', { href: '/run/' + encodeURIComponent(props.data.id) }, (props.data.name || '').trim() || props.data.id);
    };

    cells.GreenaiBadge = function (props) {
        return props.data ? element('span', { className: 'badge badge-' + props.data.state_key }, props.value) : null;
    };

    cells.GreenaiQuality = function (props) {
        if (!props.data || !props.data.quality_key) {
            return props.data ? '–' : null;
        }
        return element('span', { className: 'cell-lines' },
            element('span', { className: 'badge badge-' + props.data.quality_key }, props.value),
            element('span', { className: 'cell-detail' }, props.data.share));
    };

    cells.GreenaiEnergy = function (props) {
        if (!props.data) {
            return null;
        }
        return element('span', { className: 'cell-lines' },
            element('span', null, props.value,
                props.data.quality_key && props.data.quality_key !== 'measured'
                    ? element('span', { className: 'cell-remark' }, ' ' + props.data.quality) : null),
            element('span', { className: 'cell-detail' }, props.data.interval));
    };

    /* What Dash renders anew it puts in place of the old: focus is lost, and a screen reader begins again. What
       changes every few seconds is therefore given to React itself, which touches only what differs. */
    var roots = new WeakMap();

    var toElement = function (node, index) {
        if (Array.isArray(node)) {
            return node.map(toElement);
        }
        if (!node || typeof node !== 'object') {
            return node;
        }
        var props = Object.assign({ key: index }, node.props);
        delete props.children;
        return element.apply(null, [node.type.toLowerCase(), props].concat(toElement(node.props.children)));
    };

    var showIn = function (id, content) {
        var place = document.getElementById(id);
        if (place && content !== undefined) {
            if (!roots.has(place)) {
                roots.set(place, window.ReactDOM.createRoot(place));
            }
            roots.get(place).render(toElement(content));
        }
        return window.dash_clientside.no_update;
    };

    /* Clientside callbacks. */
    var withGrid = function (action) {
        return window.dash_ag_grid.getApiAsync('runs-grid').then(function (api) {
            action(api);
            return window.dash_clientside.no_update;
        });
    };

    window.dash_clientside = window.dash_clientside || {};
    window.dash_clientside.greenai = {
        /* Filters changed: other rows, from the top. */
        purgeRuns: function () {
            return withGrid(function (api) { api.purgeInfiniteCache(); });
        },
        /* News: the rows in view are fetched again; sorting and scrolling stay. */
        refreshRuns: function () {
            return withGrid(function (api) { api.refreshInfiniteCache(); });
        },
        /* On a narrow screen: name, energy, state and quality first, the rest on the wider one. */
        fitRuns: function () {
            return withGrid(function (api) {
                if (window.matchMedia('(max-width: 40rem)').matches) {
                    api.setColumnsVisible(['project', 'task', 'approach', 'phase'], false);
                    api.moveColumns(['total_j', 'state'], 1);
                }
            });
        },
        showLive: function (content) {
            return showIn('live-runs', content);
        },
        showNow: function (content) {
            return showIn('run-now', content);
        },
        setTitle: function (title) {
            if (title) {
                document.title = title;
            }
            return window.dash_clientside.no_update;
        }
    };

    /* Colour scheme: known before the first paint, and passed on to the grid whenever it changes. */
    var root = document.documentElement;
    var apply = function () {
        document.body.dataset.agThemeMode = root.getAttribute('data-mantine-color-scheme') || 'light';
    };
    var stored = null;
    try {
        stored = window.localStorage.getItem('mantine-color-scheme-value');
    } catch (error) {
        stored = null; // storage is switched off: follow the system
    }
    var dark = window.matchMedia('(prefers-color-scheme: dark)').matches;
    var scheme = stored === 'dark' || stored === 'light' ? stored : (dark ? 'dark' : 'light');
    root.setAttribute('data-mantine-color-scheme', scheme);
    new MutationObserver(apply).observe(root, { attributes: true, attributeFilter: ['data-mantine-color-scheme'] });
    apply();
})();
