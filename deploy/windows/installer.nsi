; The agent's installer for 64-bit Windows 10 and later. Made by build.py, which defines VERSION, PAYLOAD, SAMPLE and OUT.
;   haidang-agent-VERSION-setup.exe /S [/URL=https://collector /CODE=code [/PIN=sha256]] [/NOFIREWALL] [/D=C:\another\folder]
;   uninstall.exe /S [/PURGE]     /PURGE also removes settings, keys and reports

Unicode true
Target amd64-unicode
SetCompressor /SOLID lzma
RequestExecutionLevel admin
ManifestSupportedOS Win10
Name "Hai Dang agent ${VERSION}"
OutFile "${OUT}"
InstallDir "$PROGRAMFILES64\Haidang Agent"
ShowInstDetails show
VIProductVersion "${VERSION}.0"
VIAddVersionKey ProductName "Hai Dang agent"
VIAddVersionKey FileDescription "Hai Dang agent installer"
VIAddVersionKey ProductVersion "${VERSION}"
VIAddVersionKey FileVersion "${VERSION}"
VIAddVersionKey LegalCopyright "Apache-2.0"

!include FileFunc.nsh
!include LogicLib.nsh

!define SERVICE "HaidangAgent"
!define RULE "Hai Dang agent (SNMP)"
!define UNINSTALL "Software\Microsoft\Windows\CurrentVersion\Uninstall\${SERVICE}"

Var Home
Var Arguments

Page directory
Page instfiles
UninstPage uninstConfirm
UninstPage instfiles

!macro Run LINE
  DetailPrint '${LINE}'
  nsExec::ExecToLog '${LINE}'
  Pop $0
!macroend
!define Run "!insertmacro Run"

Function .onInit
  SetShellVarContext all
  SetRegView 64
  StrCpy $Home "$APPDATA\Haidang"
FunctionEnd

Section
  ; "net stop" waits until the service has ended, goodbye included.
  ${Run} '"$SYSDIR\net.exe" stop ${SERVICE}'
  RMDir /r "$INSTDIR\_internal"
  SetOutPath "$INSTDIR"
  File /r "${PAYLOAD}\*"
  File "/oname=haidang-agent.sample.toml" "${SAMPLE}"

  ; Keys lie here, and versions that run as LocalSystem: nobody but the system and administrators may write or read.
  CreateDirectory "$Home"
  ${Run} '"$SYSDIR\icacls.exe" "$Home" /setowner *S-1-5-32-544 /T /C /Q'
  ${Run} '"$SYSDIR\icacls.exe" "$Home" /inheritance:r /grant:r *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F /Q'
  ${IfNot} ${FileExists} "$Home\haidang-agent.toml"
    CopyFiles /SILENT "$INSTDIR\haidang-agent.sample.toml" "$Home\haidang-agent.toml"
  ${EndIf}

  WriteUninstaller "$INSTDIR\uninstall.exe"
  WriteRegStr HKLM "${UNINSTALL}" "DisplayName" "Hai Dang agent"
  WriteRegStr HKLM "${UNINSTALL}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKLM "${UNINSTALL}" "Publisher" "Hai Dang"
  WriteRegStr HKLM "${UNINSTALL}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKLM "${UNINSTALL}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKLM "${UNINSTALL}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKLM "${UNINSTALL}" "NoModify" 1
  WriteRegDWORD HKLM "${UNINSTALL}" "NoRepair" 1

  ${GetParameters} $Arguments
  ClearErrors
  ${GetOptions} $Arguments "/NOFIREWALL" $1
  ${If} ${Errors}
    ; Later versions run from another folder: the rule is for the port. The agent opens it only when its settings let somebody ask.
    ${Run} '"$SYSDIR\netsh.exe" advfirewall firewall delete rule name="${RULE}"'
    ${Run} '"$SYSDIR\netsh.exe" advfirewall firewall add rule name="${RULE}" dir=in action=allow protocol=UDP localport=161 profile=domain,private'
  ${EndIf}

  ; A service that is there keeps what an administrator set for it, but for its path.
  ${Run} '"$SYSDIR\sc.exe" create ${SERVICE} binPath= "\"$INSTDIR\haidang-agent-service.exe\"" start= auto DisplayName= "Hai Dang agent"'
  ${Run} '"$SYSDIR\sc.exe" config ${SERVICE} binPath= "\"$INSTDIR\haidang-agent-service.exe\""'
  ${Run} '"$SYSDIR\sc.exe" description ${SERVICE} "Tells the collector what hardware this machine is and how it fares."'
  ${Run} '"$SYSDIR\sc.exe" failure ${SERVICE} reset= 86400 actions= restart/5000/restart/60000/restart/60000'

  ${GetOptions} $Arguments "/URL=" $1
  ${GetOptions} $Arguments "/CODE=" $2
  ${GetOptions} $Arguments "/PIN=" $3
  ${If} $1 != ""
  ${AndIf} $2 != ""
    StrCpy $4 ""
    ${If} $3 != ""
      StrCpy $4 "--pin $3"
    ${EndIf}
    ; The code is no secret for long, but it is not printed either.
    nsExec::ExecToLog '"$INSTDIR\haidang-agent.exe" enrol $1 $2 $4'
    Pop $0
    ${If} $0 != 0
      SetErrorLevel 3
    ${EndIf}
  ${EndIf}
  ${Run} '"$SYSDIR\net.exe" start ${SERVICE}'
SectionEnd

Function un.onInit
  SetShellVarContext all
  SetRegView 64
  StrCpy $Home "$APPDATA\Haidang"
FunctionEnd

Section "Uninstall"
  ${Run} '"$SYSDIR\net.exe" stop ${SERVICE}'
  ${Run} '"$SYSDIR\sc.exe" delete ${SERVICE}'
  ${Run} '"$SYSDIR\netsh.exe" advfirewall firewall delete rule name="${RULE}"'
  RMDir /r "$INSTDIR\_internal"
  Delete "$INSTDIR\haidang-agent.exe"
  Delete "$INSTDIR\haidang-agent-service.exe"
  Delete "$INSTDIR\haidang-agent.sample.toml"
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
  DeleteRegKey HKLM "${UNINSTALL}"
  RMDir /r "$Home\versions"
  ${GetParameters} $Arguments
  ClearErrors
  ${GetOptions} $Arguments "/PURGE" $1
  ${IfNot} ${Errors}
    RMDir /r "$Home"
  ${EndIf}
SectionEnd
