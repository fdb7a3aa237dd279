namespace Smile.ML.Analysis.Html;

/// <summary>The report's style sheet: one accent, one contrast (blue and orange, which colour-blind people can tell apart), greys.</summary>
internal static class ReportStyle
{
    public const string Css = """
        :root{color-scheme:light dark;--bg:#fcfcfa;--card:#fff;--ink:#20262b;--soft:#5c666e;--line:#e4e6e4;--accent:#0b6a8f;--on:#fff;--contrast:#c2620c;--on-contrast:#fff;--muted:#a3abb1}
        @media(prefers-color-scheme:dark){:root{--bg:#14181b;--card:#1b2024;--ink:#e5e9ec;--soft:#9ba6ae;--line:#2d343a;--accent:#5bb8dd;--on:#0b1a22;--contrast:#eb9a52;--on-contrast:#241203;--muted:#5f6a72}}
        *{box-sizing:border-box}
        html{-webkit-text-size-adjust:100%}
        body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.55 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
        main{max-width:1080px;margin:0 auto;padding:48px 20px 72px}
        .eyebrow{margin:0;font-size:13px;letter-spacing:.08em;text-transform:uppercase;color:var(--accent);font-weight:600}
        h1{margin:4px 0 2px;font-size:clamp(26px,5vw,36px);line-height:1.2;letter-spacing:-.015em;font-weight:650;overflow-wrap:anywhere}
        h2{margin:0 0 6px;font-size:22px;line-height:1.3;letter-spacing:-.01em;font-weight:620}
        .meta{margin:0;color:var(--soft)}
        section{margin-top:60px}
        section>p{max-width:70ch;margin:0 0 20px;color:var(--soft)}
        .verdict{margin-top:32px;padding:28px 30px;background:var(--card);border:1px solid var(--line);border-left:4px solid var(--accent);border-radius:10px}
        .verdict .headline{margin:0 0 10px;max-width:60ch;color:var(--ink);font-size:clamp(20px,3.2vw,26px);line-height:1.3;font-weight:600;letter-spacing:-.01em;text-wrap:balance}
        .verdict ul{margin:0;padding-left:1.1em;max-width:80ch;color:var(--ink)}
        .verdict li{margin:5px 0}
        .verdict li::marker{color:var(--muted)}
        .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:14px;margin:20px 0 0}
        .tiles div{padding:16px 18px;background:var(--card);border:1px solid var(--line);border-radius:10px}
        .tiles dt{font-size:14px;color:var(--soft)}
        .tiles dd{margin:2px 0 0;font-size:28px;line-height:1.2;font-weight:600;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
        .tiles .main dd{color:var(--accent)}
        .tiles small{display:block;margin-top:3px;font-size:13px;line-height:1.4;color:var(--soft);font-weight:400;letter-spacing:0}
        .columns{columns:2 430px;column-gap:44px}
        .columns>*{break-inside:avoid;margin:0 0 38px}
        .pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:30px 44px;align-items:start}
        .pair>*{min-width:0}
        figure{margin:0}
        figcaption{margin:0 0 10px;font-size:15px;font-weight:600}
        figcaption small,.note{display:block;font-weight:400;font-size:14px;color:var(--soft);line-height:1.45}
        .note{margin:10px 0 0;max-width:70ch}
        .scroll{overflow-x:auto;-webkit-overflow-scrolling:touch}
        .chart{display:block;width:100%;max-width:520px;height:auto}
        .chart text{font-size:12px;fill:var(--soft);font-variant-numeric:tabular-nums}
        .chart .axis{font-size:12.5px}
        .chart .grid{stroke:var(--line)}
        .chart polyline{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
        .chart polyline.accent{stroke:var(--accent);stroke-width:2.5}.chart polyline.contrast{stroke:var(--contrast)}
        .chart polyline.muted{stroke:var(--muted);stroke-width:1.4}.chart polyline.reference{stroke:var(--soft);stroke-dasharray:2 5}
        .chart circle{stroke:var(--bg);stroke-width:1.2}
        .chart circle.accent,.chart rect.accent{fill:var(--accent)}.chart circle.contrast,.chart rect.contrast{fill:var(--contrast)}
        .chart circle.muted{fill:var(--muted)}.chart circle.reference{fill:var(--soft)}
        .chart .label{font-size:12.5px}.chart .label.accent{fill:var(--accent);font-weight:600}.chart .label.contrast{fill:var(--contrast);font-weight:600}
        .key{display:inline-block;width:11px;height:11px;margin:0 5px 0 0;border-radius:3px;background:var(--accent)}.key.contrast{margin-left:14px;background:var(--contrast)}
        table{border-collapse:collapse;font-variant-numeric:tabular-nums}
        .figures{width:100%;font-size:15px}
        .figures th,.figures td{padding:7px 10px;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap;font-weight:400}
        .figures thead th{color:var(--soft);font-size:13.5px;vertical-align:bottom}
        .figures th:first-child{position:sticky;left:0;background:var(--bg);text-align:left;white-space:normal;min-width:170px}
        .figures .average{font-weight:600}
        .figures tr.main>*{color:var(--accent);font-weight:600}
        .figures tr.bound>*{color:var(--soft)}
        .matrix table{border-spacing:2px;border-collapse:separate;font-size:13px}
        .matrix th{font-weight:400;color:var(--soft)}
        .matrix tbody th{padding:0 8px 0 0;text-align:right;white-space:nowrap}
        .matrix thead th{padding:0 0 4px;vertical-align:bottom}
        .matrix thead th span{display:inline-block;writing-mode:vertical-rl;transform:rotate(180deg);white-space:nowrap;max-height:110px}
        .matrix.short thead th span{writing-mode:horizontal-tb;transform:none}
        .matrix .corner{font-size:12px;text-align:right;padding-right:8px}
        .matrix td{width:34px;min-width:34px;height:25px;padding:0;text-align:center;border-radius:4px;background:color-mix(in srgb,var(--accent) var(--v),var(--card))}
        .matrix td.neg{background:color-mix(in srgb,var(--contrast) var(--v),var(--card))}
        .matrix td.strong{color:var(--on)}.matrix td.neg.strong{color:var(--on-contrast)}
        dl.terms{display:grid;grid-template-columns:max-content 1fr;gap:6px 18px;margin:0;max-width:80ch;font-size:15px}
        dl.terms dt{font-weight:600}dl.terms dd{margin:0;color:var(--soft)}
        footer{margin-top:60px;padding-top:18px;border-top:1px solid var(--line);font-size:14px;color:var(--soft)}
        @media(max-width:560px){.chart text,.chart .label,.chart .axis{font-size:14px}main{padding:28px 16px 48px}section{margin-top:46px}.verdict{padding:20px 20px}.tiles{grid-template-columns:1fr 1fr;gap:10px}.tiles div{padding:13px 14px}.tiles dd{font-size:24px}.figures th,.figures td{padding:7px 8px}.figures th:first-child{min-width:132px;max-width:150px}dl.terms{grid-template-columns:1fr;gap:0}dl.terms dd{margin-bottom:10px}.matrix td{width:27px;min-width:27px;font-size:11.5px}.matrix tbody th{padding-right:6px;font-size:12px}}
        @media print{body{background:#fff}section{break-inside:avoid}}
        """;
}
